"""What cannot be taken becomes a dead letter: with its reason, its original bytes and where it came from."""

import logging
from typing import Any, Final

from schemas.codec import encode
from schemas.dead_letters import letter_of
from schemas.errors import ContractError, Reason, TouchlineError

log: Final = logging.getLogger("touchline.worker")


def dead_letter(record: Any, error: Exception, component: str) -> bytes:
    """Encode the dead letter for a Kafka record (aiokafka's ConsumerRecord) that `component` could not take.

    A ContractError says its reason itself. Anything else is a bug of ours: it must not stop everybody behind
    this record for ever, so the record is set aside as UNEXPECTED, and the log has the traceback. Errors that are
    not the record's are raised again: memory, the system, and a TouchlineError that is no ContractError.
    """
    if not isinstance(error, ContractError):
        if isinstance(error, (MemoryError, OSError, TouchlineError)):
            raise error
        place = f"{record.topic}/{record.partition}/{record.offset}"
        log.error("%s could not process %s: a bug, please report it", component, place, exc_info=error)
        error = ContractError(Reason.UNEXPECTED, f"{type(error).__name__}: {error}"[:500])
    return encode("DeadLetter", letter_of(record, error, component))
