"""Sends the records that the loader cannot store to the topic dead-letters."""

from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from schemas.dead_letters import bare, letter_of
from schemas.encoding.record_types import DEAD_LETTER
from schemas.errors import UnavailableError
from schemas.records import DeadLetter
from sinks.clickhouse.write.inserts import Rejected

COMPONENT: Final = "loader"


def dead_letter(rejected: Rejected) -> DeadLetter:
    """The dead letter of a rejected record, with its original bytes."""
    return letter_of(rejected.record, rejected.error, COMPONENT)


async def send(producer: AIOKafkaProducer, topic: str, rejected: Rejected) -> None:
    """Publish the dead letter of a rejected record. Raises UnavailableError if the broker does not acknowledge it.

    If the letter exceeds the topic's limit, it goes without the original bytes and names the record's place in Kafka.
    """
    letter = dead_letter(rejected)
    key = rejected.record.key
    try:
        try:
            await producer.send_and_wait(topic, DEAD_LETTER.encode(letter), key=key)
        except MessageSizeTooLargeError:
            await producer.send_and_wait(topic, DEAD_LETTER.encode(bare(letter)), key=key)
    except KafkaError as error:
        raise UnavailableError(f"Kafka does not take a dead letter for {topic}: {error}") from error
