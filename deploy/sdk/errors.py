"""The errors that only the SDK raises."""

from typing import Final

from schemas.errors import ContractError, UnavailableError

#: What `publish` raises as a TouchlineError from the moment at which `close` begins.
CLOSED: Final = "the publisher is closed: make another one"


def counted(touchpoints: int) -> str:
    """How many touchpoints, in words: 1 touchpoint, 2 touchpoints."""
    return f"{touchpoints} touchpoint{'' if touchpoints == 1 else 's'}"


class QueueFullError(UnavailableError):
    """Kafka is away, and the spool or memory takes no more. Response: the touchpoint was not accepted; try later."""


class StoreFullError(UnavailableError):
    """A subscriber's store takes no more. Response: make room, or give it a folder, and go on; nothing is lost."""


class UnreadableError(ContractError):
    """A subscriber met a record that its schemas do not know. Response: upgrade the SDK, then go on from there."""
