"""What cannot be taken becomes a dead letter: with its reason, its original bytes and where it came from."""

from importlib.metadata import version
from typing import Any, Final

from schemas.codec import encode
from schemas.errors import ContractError
from schemas.records import DeadLetter, Header

VERSION: Final = version("touchline")


def dead_letter(record: Any, error: ContractError, component: str) -> bytes:
    """Encode the dead letter for a Kafka record (aiokafka's ConsumerRecord) that `component` rejected."""
    return encode(
        "DeadLetter",
        DeadLetter(
            reason=error.reason.value,
            error=str(error),
            component=component,
            component_version=VERSION,
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            recorded_at=max(record.timestamp, 0),
            key=record.key,
            value=record.value,
            headers=[Header(name=name, value=value) for name, value in record.headers or ()],
        ),
    )
