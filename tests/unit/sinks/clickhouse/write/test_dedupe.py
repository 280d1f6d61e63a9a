"""Of several states in one batch the newest goes on."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from schemas import topics
from schemas.encoding.codec import long_bytes, take_long
from schemas.encoding.record_types import JOURNEY_STATE
from sinks.clickhouse.write.dedupe import without_superseded
from tests.support.examples import example


@dataclass
class Record:
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    topic: str = "journey-states"
    partition: int = 0
    timestamp: int = 0


def state(version: int) -> bytes:
    return JOURNEY_STATE.encode({**example("JourneyState"), "version": version})


def left(*records: Record) -> list[int]:
    return [
        record.offset for _, record in without_superseded((topics.JOURNEY_STATES, one) for one in records)
    ]


def test_only_the_newest_state_of_a_key_is_left() -> None:
    assert left(Record(0, b"a", state(1)), Record(1, b"b", state(1)), Record(2, b"a", state(2))) == [1, 2]


def test_a_late_write_of_an_old_version_supersedes_nothing() -> None:
    assert left(Record(0, b"a", state(9)), Record(1, b"a", state(3)), Record(2, b"a", state(10))) == [1, 2]


def test_a_tombstone_counts_by_its_version() -> None:
    gone = Record(1, b"a", None, [("version", b"5")])
    assert left(Record(0, b"a", state(5)), gone) == [1]
    assert left(gone, Record(2, b"a", state(4))) == [1, 2]
    assert left(gone, Record(2, b"a", state(6))) == [2]


def test_what_cannot_be_read_stays_to_be_said() -> None:
    broken = state(1)[:12]
    assert left(Record(0, b"a", broken), Record(1, b"a", b""), Record(2, b"a", state(2))) == [0, 1, 2]


def test_other_topics_keep_every_record() -> None:
    signals = [(topics.JOURNEY_SIGNALS, Record(number, b"a", b"x")) for number in range(3)]
    assert without_superseded(signals) == signals


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_long_is_read_as_it_is_written(number: int) -> None:
    data = long_bytes(number)
    assert take_long(b"?" + data + b"?", 1) == (number, 1 + len(data))
