"""The dead letter of a rejected record: one form for every processor."""

from importlib.metadata import version
from typing import Final

from schemas.consumed import KafkaRecord
from schemas.errors import ContractError
from schemas.records import DeadLetter, Header

VERSION: Final = version("touchline")
#: The largest original, in bytes, that a letter encloses: the letter fits into 1 MiB.
ENCLOSED_BYTES: Final = 1024 * 1024 - 64 * 1024
ERROR_CHARACTERS: Final = 1000
#: Marks a letter without its original, which `touchline dead-letters replay` then fetches.
NOT_ENCLOSED: Final = "too large to enclose"


def letter_of(record: KafkaRecord, error: ContractError, component: str) -> DeadLetter:
    """The letter about a record that `component` rejected, with its original bytes if they fit."""
    letter = DeadLetter(
        reason=error.reason.value,
        error=str(error)[:ERROR_CHARACTERS],
        component=component,
        component_version=VERSION,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        recorded_at=max(record.timestamp, 0),
        key=record.key,
        value=record.value,
        headers=[Header(name=name, value=value) for name, value in record.headers or ()],
    )
    return bare(letter) if _size(record) > ENCLOSED_BYTES else letter


def bare(letter: DeadLetter) -> DeadLetter:
    """A copy of the letter without its original. Its error names the original's topic, partition and offset."""
    where = f"{letter['topic']} partition {letter['partition']} offset {letter['offset']}"
    error = f"{letter['error']} ({NOT_ENCLOSED}: its bytes are at {where})"
    return {**letter, "error": error, "key": None, "value": None, "headers": []}


def _size(record: KafkaRecord) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in record.headers or ())
    return len(record.key or b"") + len(record.value or b"") + headers
