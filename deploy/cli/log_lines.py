"""How a log record becomes a line, as text or as JSON; nothing about a person gets into one.

The message of an unforeseen exception may quote what it met, such as an address that is no number. A log shows where
it was raised and of which kind it is. Its message is in the dead letter, which erasure reaches.
"""

import json
import logging
import traceback
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, TypeAlias

from aiokafka.errors import KafkaError

from schemas.errors import ContractError, TouchlineError

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

#: Exceptions whose messages say what a server, a network or a setting is like.
_OF_MACHINES: Final = (OSError, KafkaError, TouchlineError)
_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class TextLines(logging.Formatter):
    """Lines for people: time, level, logger and message."""

    def __init__(self) -> None:
        super().__init__(_TEXT)

    def formatException(self, ei: ExcInfo) -> str:  # noqa: N802 (logging's name)
        """Where an exception was raised, and of which kind it is."""
        return _without_message(ei[1])


class JsonLines(logging.Formatter):
    """Lines for machines: one JSON object each, with `time` (ISO 8601, UTC), `level`, `logger` and `message`.

    `exception` is there if the record has one.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record."""
        told: dict[str, Any] = {
            "time": _iso(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["exception"] = _without_message(record.exc_info[1])
        return json.dumps(told, ensure_ascii=False)


FORMATS: Final = {"text": TextLines, "json": JsonLines}


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _without_message(error: BaseException | None) -> str:
    """The traceback of an exception and of its causes, without messages that may quote data."""
    parts: list[str] = []
    while error is not None:
        kind = type(error).__qualname__
        shown = isinstance(error, _OF_MACHINES) and not isinstance(error, ContractError)
        parts.append(
            "".join(traceback.format_tb(error.__traceback__)) + (f"{kind}: {error}" if shown else kind)
        )
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n\ncaused:\n\n".join(reversed(parts))
