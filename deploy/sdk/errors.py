"""The errors that only the SDK raises."""

from schemas.errors import UnavailableError


class QueueFullError(UnavailableError):
    """Kafka is away, and the spool or memory takes no more. Response: the touchpoint was not accepted; try later."""
