"""Log lines: as text or as JSON, with where something failed, and never with what an unforeseen failure quotes."""

import json
import logging
import sys

import pytest
from aiokafka.errors import KafkaConnectionError

from deploy.cli.log_lines import JsonLines, TextLines
from schemas.errors import ContractError, Reason, UnavailableError

FORMATS = pytest.mark.parametrize("lines", [TextLines(), JsonLines()], ids=["text", "json"])
ADDRESS = "ann@example.com"


def record(error: BaseException | None = None, *, cause: BaseException | None = None) -> logging.LogRecord:
    """A log record about an error that was raised here."""
    info = None
    try:
        if error is not None:
            raise error from cause  # noqa: TRY301
    except BaseException:  # noqa: BLE001
        info = sys.exc_info()
    return logging.LogRecord("touchline.worker", logging.ERROR, __file__, 1, "%s failed", ("stitch",), info)


def test_a_json_line_is_one_object_with_time_level_logger_and_message() -> None:
    made = record()
    made.created = 1_767_225_600.25
    line = JsonLines().format(made)
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2026-01-01T00:00:00.250+00:00",
        "level": "ERROR",
        "logger": "touchline.worker",
        "message": "stitch failed",
    }


@FORMATS
@pytest.mark.parametrize(
    "error",
    [
        KeyError(ADDRESS),
        ValueError(f"no number: {ADDRESS}"),
        ContractError(Reason.INVALID, f"no phone: {ADDRESS}"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_failure_on_data_shows_its_kind_and_place_and_not_what_it_quotes(
    lines: logging.Formatter, error: Exception
) -> None:
    line = lines.format(record(error))
    assert ADDRESS not in line
    assert type(error).__name__ in line
    assert "test_log_lines.py" in line


@FORMATS
def test_the_causes_of_a_failure_are_shown_in_the_same_way(lines: logging.Formatter) -> None:
    line = lines.format(record(ValueError("outer"), cause=KeyError(ADDRESS)))
    assert ADDRESS not in line
    assert "KeyError" in line
    assert "ValueError" in line


@FORMATS
@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("port 9092 refuses"),
        KafkaConnectionError("port 9092"),
        UnavailableError("port 9092"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_a_server_or_the_network_says_is_shown(lines: logging.Formatter, error: Exception) -> None:
    assert "9092" in lines.format(record(error))
