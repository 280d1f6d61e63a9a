"""Reads are bounded by bytes as by records; aiokafka's own consumption of a fetched batch stays as it was."""

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.structs import TopicPartition

from streams.runtime.bounded_reads import READ_BYTES, bound_reads

PART = TopicPartition("touchpoints", 0)


class Records:
    """What the broker returned for a partition, as aiokafka unpacks it record by record."""

    def __init__(self, sizes: list[int | None]) -> None:
        self.next_fetch_offset = 0
        self._sizes = sizes

    def __iter__(self) -> "Records":
        return self

    def __next__(self) -> Any:
        if self.next_fetch_offset == len(self._sizes):
            raise StopIteration
        size = self._sizes[self.next_fetch_offset]
        self.next_fetch_offset += 1
        return SimpleNamespace(offset=self.next_fetch_offset - 1, value=None if size is None else bytes(size))


def fetched(*sizes: int | None) -> tuple[FetchResult, Any]:
    state = SimpleNamespace(paused=False, position=0)
    state.consumed_to = lambda offset: setattr(state, "position", offset)
    assignment = SimpleNamespace(active=True, state_value=lambda _: state)
    return FetchResult(PART, assignment=assignment, partition_records=Records(list(sizes)), backoff=0), state


@pytest.fixture(autouse=True)
def _bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FetchResult, "getall", FetchResult.getall)
    bound_reads()


def offsets(records: list[Any]) -> list[int]:
    return [record.offset for record in records]


def test_a_read_ends_with_the_record_that_fills_it_and_the_next_goes_on_behind_it() -> None:
    result, state = fetched(READ_BYTES - 1, 1, READ_BYTES, 5, None, 7)
    assert offsets(result.getall(2000)) == [0, 1]
    assert state.position == 2
    assert result.has_more()
    assert offsets(result.getall(2000)) == [2]
    assert offsets(result.getall(2000)) == [3, 4, 5]
    assert state.position == 6
    assert not result.has_more()


def test_a_record_larger_than_a_read_is_read_alone() -> None:
    result, _ = fetched(3 * READ_BYTES, 3 * READ_BYTES)
    assert offsets(result.getall()) == [0]
    assert offsets(result.getall()) == [1]


@pytest.mark.parametrize("most", [1, 3, 4, 5, None])
def test_the_number_of_records_bounds_as_before(most: int | None) -> None:
    result, state = fetched(*[10] * 4)
    assert offsets(result.getall(most)) == list(range(min(4, most or 4)))
    assert state.position == min(4, most or 4)
    assert result.has_more() == (most in (1, 3, 4))


def test_nothing_is_returned_of_a_partition_that_a_rebalance_took_away_or_that_was_sought() -> None:
    result, state = fetched(10, 10)
    state.position = 7
    assert result.getall() == []
    assert not result.has_more()
