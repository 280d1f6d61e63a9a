"""The window on a stream: whatever the pace of a reader, it is told everything, once, and can go on from any event."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.subscribers import window as module
from sinks.subscribers.events import Wanted
from sinks.subscribers.window import Cursor, Window
from tests.support.subscriber_streams import PARTITIONS, Log, Reader, event, tellings, wants

EVERYBODY = Wanted("default")
START = (0,) * PARTITIONS


def places(reader: Reader) -> list[tuple[int, int]]:
    return [(told.event.partition, told.event.offset) for told in reader.told]


def played(steps, wanted, limit: int, *, coalesced: bool) -> tuple[Window, Log, Reader]:
    """A reader from the start on, between batches that are added."""
    window, log = Window(limit, 10_000, coalesced=coalesced), Log()
    window.open(START)
    reader = Reader(window, log, wanted, START)
    for step, value in steps:
        if step == "add":
            window.add([log.append(profile) for profile in value], log.ends)
        else:
            reader.step(value)
    reader.finish()
    return window, log, reader


@given(st.lists(tellings, max_size=30), wants, st.integers(1, 6))
def test_a_reader_of_any_pace_is_told_every_event_once_and_those_of_a_partition_in_order(
    steps, wanted, limit
) -> None:
    _, log, reader = played(steps, wanted, limit, coalesced=False)
    assert sorted(places(reader)) == sorted(log.wanted(wanted, START))
    for partition in range(PARTITIONS):
        offsets = [offset for number, offset in places(reader) if number == partition]
        assert offsets == sorted(offsets)


@given(st.lists(tellings, max_size=30), wants, st.integers(1, 6), st.data())
def test_who_goes_on_after_any_event_is_told_the_rest_and_nothing_twice(steps, wanted, limit, data) -> None:
    window, log, reader = played(steps, wanted, limit, coalesced=False)
    if reader.told:
        cut = data.draw(st.integers(0, len(reader.told) - 1))
        again = Reader(window, log, wanted, reader.told[cut].positions)
        again.finish()
        assert sorted(places(reader)[: cut + 1] + places(again)) == sorted(places(reader))


@given(st.lists(tellings, max_size=30), wants, st.integers(1, 6))
def test_of_states_a_slow_reader_may_miss_what_is_superseded_and_never_the_newest(
    steps, wanted, limit
) -> None:
    _, log, reader = played(steps, wanted, limit, coalesced=True)
    newest = {one.profile_id: (one.partition, one.offset) for one in log.events if wanted.passes(one)}
    told = {one.event.profile_id: (one.event.partition, one.event.offset) for one in reader.told}
    assert told == newest
    assert len(set(places(reader))) == len(reader.told)


@given(st.lists(tellings, max_size=30), st.integers(1, 6))
def test_whoever_waits_for_the_others_goes_on_with_them_after_another_process_was_ahead(steps, limit) -> None:
    """Another instance of the service had read three events more of one partition than this one."""
    window, log = Window(limit, 10_000, coalesced=False), Log()
    window.open(START)
    ahead = (3, 0)
    reader = Reader(window, log, EVERYBODY, ahead)
    for step, value in steps:
        if step == "add":
            window.add([log.append(profile) for profile in value], log.ends)
        else:
            reader.step(value)
    reader.finish()
    assert sorted(places(reader)) == sorted(log.wanted(EVERYBODY, ahead))
    assert all(told.positions[0] >= 3 for told in reader.told)


def test_the_newest_state_that_does_not_pass_a_filter_supersedes_one_that_does() -> None:
    window = Window(10, 1000, coalesced=True)
    window.open(START)
    cursor = Cursor(Wanted("default", facts={"stage": frozenset({"cart"})}), START, window.generation)
    window.join(cursor)
    window.add([event(0, 0, "b", stage="cart"), event(0, 1, "b", stage="order")], (2, 0))
    assert window.take(cursor, 10) == []
    assert cursor.positions == (2, 0)
    window.add([event(0, 2, "b", name="gone")], (3, 0))
    assert [told.event.name for told in window.take(cursor, 10)] == ["gone"]


def test_a_silent_reader_goes_on_with_the_stream_so_that_its_next_id_is_not_old() -> None:
    window = Window(2, 1000, coalesced=False)
    window.open(START)
    cursor = Cursor(Wanted("default", frozenset({"x"})), START, window.generation)
    window.join(cursor)
    window.add([event(0, number, "b") for number in range(9)], (9, 4))
    assert window.take(cursor, 10) == []
    assert cursor.positions == (9, 4)


def test_a_reader_with_too_much_before_it_holds_only_so_many_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_PENDING", 3)
    for coalesced in (False, True):
        window, log = Window(100, 100_000, coalesced=coalesced), Log()
        window.open(START)
        reader = Reader(window, log, EVERYBODY, START)
        reader.step(1)
        window.add([log.append("b") for _ in range(20)], log.ends)
        assert len(reader.cursor.pending) == 3
        reader.finish()
        assert places(reader) == ([(0, 19)] if coalesced else log.wanted(EVERYBODY, START))


def test_a_window_keeps_so_many_bytes() -> None:
    window = Window(1000, 55, coalesced=False)
    window.open(START)
    window.add([event(0, number, "b") for number in range(20)], (20, 0))
    assert window.start == (15, 0)
    assert not window.join(Cursor(EVERYBODY, (14, 0), window.generation))
    assert window.join(Cursor(EVERYBODY, (15, 0), window.generation))


def test_who_left_is_told_nothing_and_leaves_nothing_behind() -> None:
    window = Window(10, 1000, coalesced=False)
    window.open(START)
    cursor = Cursor(Wanted("default", frozenset("ab")), START, window.generation)
    window.join(cursor)
    assert window.readers == 1
    window.leave(cursor)
    assert window.readers == 0
    window.add([event(0, 0, "b")], (1, 0))
    assert not cursor.pending


def test_no_tenant_is_told_of_anothers_people() -> None:
    window = Window(10, 1000, coalesced=False)
    window.open(START)
    cursor = Cursor(EVERYBODY, START, window.generation)
    window.join(cursor)
    window.add([event(0, 0, "b", tenant="shop"), event(0, 1, "b")], (2, 0))
    assert [told.event.tenant for told in window.take(cursor, 10)] == ["default"]
