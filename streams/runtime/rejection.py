"""Rejected records become dead letters, with the reason, the original bytes and their topic, partition and offset."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from schemas.dead_letters import letter_of
from schemas.encoding.record_types import DEAD_LETTER
from schemas.errors import ContractError, Reason, TouchlineError
from schemas.tracing.tracer import Tracer
from streams.runtime import metrics

log: Final = logging.getLogger("touchline.worker")


@contextmanager
def isolated(what: str) -> Iterator[None]:
    """Log a bug that the body meets without any record that could be set aside: what else is due must go on.

    Errors that `dead_letter` raises again it raises, too.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, (MemoryError, OSError, TouchlineError)) and not isinstance(error, ContractError):
            raise
        log.exception("the worker could not see to %s: a bug, please report it", what)


def dead_letter(record: Any, error: Exception, component: str, tracer: Tracer | None = None) -> bytes:
    """Encode the dead letter of a Kafka record (aiokafka's ConsumerRecord) that `component` could not process.

    A ContractError names its reason. Any other exception of the record's own is a bug: the record gets the reason
    UNEXPECTED, and the log gets the traceback, because a bug must not block the records behind it for ever.
    MemoryError, OSError and any other TouchlineError are not caused by the record and are raised again.
    """
    if not isinstance(error, ContractError):
        if isinstance(error, (MemoryError, OSError, TouchlineError)):
            raise error
        position = f"{record.topic}/{record.partition}/{record.offset}"
        log.error("%s could not process %s: a bug, please report it", component, position, exc_info=error)
        error = ContractError(Reason.UNEXPECTED, f"{type(error).__name__}: {error}"[:500])
    metrics.DEAD_LETTERS.labels(component, error.reason.value).inc()
    if tracer is not None:
        tracer.rejected(component, record, error.reason.value)
    return DEAD_LETTER.encode(letter_of(record, error, component))
