"""Who sends."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sender:
    """What a write key says of everything that is sent with it."""

    name: str  #: of the key, for logs and dead letters
    tenant: str
    source: str | None  #: None: each touchpoint names its own
    channel: str | None = None  #: of what does not say its own
