"""What cannot be taken becomes a dead letter: with its reason, its original bytes and where it came from."""

from typing import Any

from schemas.codec import encode
from schemas.dead_letters import letter_of
from schemas.errors import ContractError


def dead_letter(record: Any, error: ContractError, component: str) -> bytes:
    """Encode the dead letter for a Kafka record (aiokafka's ConsumerRecord) that `component` rejected."""
    return encode("DeadLetter", letter_of(record, error, component))
