from types import SimpleNamespace

import pytest

from schemas.encoding.record_types import DEAD_LETTER
from schemas.errors import ContractError, Reason, SinkError
from streams.runtime.rejection import dead_letter

RECORD = SimpleNamespace(
    topic="touchpoints", partition=3, offset=7, timestamp=1, key=b"k", value=b"broken", headers=[("h", b"v")]
)


def test_a_broken_record_is_kept_whole_with_its_reason() -> None:
    letter = DEAD_LETTER.decode(dead_letter(RECORD, ContractError(Reason.INVALID, "no good"), "stitch"))

    assert (letter["reason"], letter["error"], letter["component"]) == ("INVALID", "no good", "stitch")
    assert (letter["topic"], letter["partition"], letter["offset"]) == ("touchpoints", 3, 7)
    assert (letter["key"], letter["value"]) == (b"k", b"broken")
    assert letter["headers"] == [{"name": "h", "value": b"v"}]


def test_a_bug_sets_its_record_aside_instead_of_stopping_everybody_behind_it(caplog) -> None:
    letter = DEAD_LETTER.decode(dead_letter(RECORD, KeyError("stage"), "journeys"))

    assert (letter["reason"], letter["error"]) == ("UNEXPECTED", "KeyError: 'stage'")
    assert "touchpoints/3/7" in caplog.text


@pytest.mark.parametrize("error", [MemoryError(), OSError("disk"), SinkError("down")])
def test_what_is_not_the_records_fault_is_raised_and_not_dead_lettered(error: Exception) -> None:
    with pytest.raises(type(error)):
        dead_letter(RECORD, error, "stitch")
