"""Whom to tell what, and under which conditions: the [endpoints.NAME] of webhooks.toml as values."""

from dataclasses import dataclass, field
from datetime import time
from typing import Final
from zoneinfo import ZoneInfo

from schemas.records import JourneySignal

SECOND_MS: Final = 1000
DAY_MS: Final = 24 * 60 * 60 * SECOND_MS
EVERY: Final = "*"  #: in `signals`: all kinds
#: Fields of a journey state whose changes an endpoint may ask for: each one text, so that a change has a new value.
CHANGES: Final = ("stage", "account_id", "preferred_channel", "last_campaign")
RAISED: Final = "RAISED"
RETRACTED: Final = "RETRACTED"


@dataclass(frozen=True)
class Retries:
    """When a failed attempt is repeated: after a delay that doubles from `first_ms` to `longest_ms`, less jitter."""

    first_ms: int = 5 * SECOND_MS
    longest_ms: int = 60 * 60 * SECOND_MS
    give_up_ms: int = 3 * DAY_MS  #: after the first attempt


@dataclass(frozen=True)
class Cap:
    """At most so many messages per person within a sliding window."""

    messages: int
    per_ms: int


@dataclass(frozen=True)
class Quiet:
    """Hours of the day, in a time zone, in which nothing is told; `start` may be later than `end` (over midnight)."""

    start: time
    end: time
    zone: ZoneInfo


@dataclass(frozen=True)
class Consent:
    """A purpose that the person must have granted; with `opt_out`, must not have denied or revoked."""

    purpose: str
    opt_out: bool = False


@dataclass(frozen=True)
class Mail:
    """Where messages go as e-mail. The recipients are the operator's: a person's address is a pseudonym here."""

    host: str
    port: int
    tls: bool  #: from the first byte (smtps)
    starttls: bool
    sender: str
    recipients: tuple[str, ...]
    user: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Endpoint:
    """One receiver. Secrets never show in a repr."""

    name: str
    url: str = field(repr=False)  #: of Slack, for one, it is a secret
    tenant: str
    signals: frozenset[str] = frozenset()
    changes: tuple[str, ...] = ()
    values: frozenset[str] = frozenset()  #: of changes: only to these new values; empty for any
    retractions: bool = True
    template: str = "standard"
    secrets: tuple[bytes, ...] = field(
        default=(), repr=False
    )  #: every one signs, so that secrets can be rotated
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    allow_private: bool = False
    timeout: float = 15.0  #: seconds of one attempt
    concurrency: int = 16  #: attempts at a time of one instance
    retries: Retries = Retries()
    cap: Cap | None = None
    quiet: Quiet | None = None
    consent: Consent | None = None
    mail: Mail | None = None

    def wants(self, signal: JourneySignal) -> bool:
        """Whether it asks for signals of this kind of this tenant."""
        return signal["tenant"] == self.tenant and (EVERY in self.signals or signal["kind"] in self.signals)

    @property
    def needs_state(self) -> bool:
        """Whether nothing may be told without knowing the person's present state."""
        return self.consent is not None
