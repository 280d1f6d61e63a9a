"""Records that the loader cannot take, on their way to the dead-letters topic."""

from importlib.metadata import version
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from schemas.codec import encode
from schemas.errors import UnavailableError
from schemas.records import DeadLetter
from sinks.inserts import Rejected

COMPONENT: Final = "loader"


def dead_letter(rejected: Rejected) -> DeadLetter:
    """The dead letter of a rejected record, with its original bytes."""
    record = rejected.record
    return {
        "reason": rejected.error.reason.value,
        "error": str(rejected.error),
        "component": COMPONENT,
        "component_version": version("touchline"),
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "recorded_at": record.timestamp,
        "key": record.key,
        "value": record.value,
        "headers": [{"name": name, "value": value} for name, value in record.headers],
    }


async def send(producer: AIOKafkaProducer, topic: str, rejected: Rejected) -> None:
    """Return once the broker has the dead letter. Raises UnavailableError if it does not take it now.

    If the original fills the topic's limit, the letter goes without its bytes and says where they are.
    """
    letter = dead_letter(rejected)
    key = rejected.record.key
    try:
        try:
            await producer.send_and_wait(topic, encode("DeadLetter", letter), key=key)
        except MessageSizeTooLargeError:
            where = f"{letter['topic']} partition {letter['partition']} offset {letter['offset']}"
            error = f"{letter['error']} (too large to enclose: its bytes are at {where})"
            bare: DeadLetter = {**letter, "error": error, "value": None, "headers": []}
            await producer.send_and_wait(topic, encode("DeadLetter", bare), key=key)
    except KafkaError as error:
        raise UnavailableError(f"Kafka does not take a dead letter for {topic}: {error}") from error
