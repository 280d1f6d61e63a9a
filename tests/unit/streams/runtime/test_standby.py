"""A standby copy is, at any offset, what a recovery has there; a takeover goes on from it, and nothing else sees it."""

import asyncio
import logging
from collections import defaultdict
from typing import Any

import pytest
from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.encoding.record_types import TOUCHPOINT
from schemas.keys import identifier_key, partition_of
from schemas.settings import Settings
from streams.identity.policy.prepare import prepare
from streams.runtime import standby as module
from streams.runtime.app import WorkerApp
from streams.runtime.standby import Standbys
from streams.runtime.state import ChangelogState
from tests.support.agents import Record
from tests.support.built_in import CATALOGUE, POLICY
from tests.support.journeys_of import law
from tests.support.native import core, installed_core
from tests.support.touchpoints import touchpoint
from tests.support.turns import TurnsWorker
from tests.unit.streams.runtime.test_recovery import Kept

PART = TopicPartition("touchline-worker-kept-changelog", 0)
OTHER = TopicPartition("touchline-worker-kept-changelog", 1)


class Worker:
    """A worker with one state and its standby copies, and a clock."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.made: list[Kept] = []
        self.state: ChangelogState[Kept] = ChangelogState(WorkerApp(Settings()), "kept", self._new)
        self.standbys = Standbys(self.state.app, clock=lambda: self.now)
        self.standbys.add(self.state)

    def _new(self, _: int) -> Kept:
        self.made.append(Kept())
        return self.made[-1]

    def read(self, *keys: bytes, first: int = 0, at: TopicPartition = PART) -> None:
        self.standbys.apply(at, [Record(*at, first + n, 0, key, b"") for n, key in enumerate(keys)])


def test_a_copy_is_in_no_table_until_it_is_taken_over() -> None:
    worker = Worker()
    worker.standbys.align({PART}, set())
    worker.read(b"a", b"b")
    assert list(worker.state.all()) == []
    assert worker.state.held_partitions() == []
    assert worker.state.known_offsets() == {}
    asyncio.run(worker.state.on_rebalance({PART}, set(), set(), 1))
    assert worker.state.of(0).changes == [(b"a", b""), (b"b", b"")]
    assert worker.state.persisted_offset(PART) == 1, "recovery goes on behind it"
    assert not worker.standbys.copies()
    worker.read(b"c", first=2)
    assert len(worker.state.of(0).changes) == 2, "what was on its way to the copy is recovery's"


def test_copies_that_are_dealt_to_others_are_forgotten() -> None:
    worker = Worker()
    worker.standbys.align({PART, OTHER}, set())
    worker.read(b"a")
    worker.standbys.align({OTHER}, set())
    assert worker.standbys.copies().keys() == {OTHER}


def test_the_copy_of_a_partition_that_this_worker_has_just_got_waits_for_its_rebalance() -> None:
    worker = Worker()
    worker.standbys.align({PART}, set())
    worker.read(b"a")
    worker.standbys.align(set(), {PART})
    assert worker.standbys.copies().keys() == {PART}
    worker.state.of(0)  # as if the rebalance had come
    worker.standbys.align(set(), {PART})
    assert not worker.standbys.copies()


def test_a_copy_that_missed_tombstones_perhaps_is_not_taken_over(caplog: pytest.LogCaptureFixture) -> None:
    """Erased people would be back."""
    worker = Worker()
    worker.standbys.align({PART}, set())
    worker.read(b"a")
    worker.now += module.LONGEST_BEHIND + 1
    assert worker.standbys.take(*PART) is None
    worker.standbys.align({PART}, set())
    worker.read(b"a")
    worker.now += module.LONGEST_BEHIND + 1
    with caplog.at_level(logging.WARNING):
        worker.standbys.align({PART}, set())
    assert "begins anew: it was behind for too long" in caplog.text
    assert worker.made[-1].changes == []
    worker.read(b"b")
    taken = worker.standbys.take(*PART)
    assert taken is not None
    assert taken.state.changes == [(b"b", b"")]


def test_a_record_that_cannot_be_read_costs_the_copy_and_not_the_worker(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = Worker()
    worker.standbys.align({PART}, set())

    def restore(key: bytes, value: bytes | None) -> None:
        raise ValueError("what is this?")

    monkeypatch.setattr(worker.made[-1], "restore", restore)
    worker.read(b"a")
    assert "is given up: the record at offset 0 is unusable (what is this?)" in caplog.text
    assert worker.standbys.take(*PART) is None
    worker.standbys.align({PART}, set())
    assert not worker.standbys.copies(), "it would fail again"


def test_an_empty_copy_is_none() -> None:
    worker = Worker()
    worker.standbys.align({PART}, set())
    assert worker.standbys.take(*PART) is None


@pytest.mark.parametrize(
    ("current", "checkpoint", "used"),
    [(True, 9, "copy"), (False, 9, "checkpoint"), (False, 0, "copy"), (False, None, "copy")],
)
def test_of_a_copy_on_its_way_and_a_checkpoint_the_newer_counts(
    current: bool, checkpoint: int | None, used: str
) -> None:
    worker = Worker()
    worker.standbys.align({PART}, set())
    worker.read(b"copy", first=1)
    worker.standbys.copies()[PART].lag = 0 if current else 7
    kept = Kept()
    kept.restore(b"checkpoint", b"")

    async def checkpointed(topic: str, partition: int) -> tuple[Kept, int] | None:
        return None if checkpoint is None else (kept, checkpoint)

    worker.state.checkpointed = checkpointed
    asyncio.run(worker.state.on_rebalance({PART}, set(), set(), 1))
    assert worker.state.of(0).changes == [(used.encode(), b"")]


def whole_logs() -> dict[TopicPartition, list[Record]]:
    """Every record of the changelogs of a few people: merges, accounts, an erasure, and one who comes back."""
    logs: dict[TopicPartition, list[Record]] = defaultdict(list)

    def look(topic: str, record: Any) -> None:
        if topic.endswith("-changelog"):
            tp = TopicPartition(topic, 0)
            logs[tp].append(Record(topic, 0, len(logs[tp]), 0, record[0], record[1]))

    worker, name = TurnsWorker(1, look=look), topics.TOUCHPOINTS.name
    cart, cookie = {"type": "add_to_cart"}, [[("cookie", f"c{n}")] for n in range(10)]
    customer = [[("customer_id", f"C{n}")] for n in range(3)]
    sold = {"type": "purchase", "account_id": "acme", "amount_minor": 100, "currency": "EUR"}
    fetches: list[list[Any]] = [
        [touchpoint(f"a{n}", minute=n, ids=cookie[n % 4], **cart) for n in range(12)],
        [touchpoint(f"b{n}", minute=20 + n, ids=customer[n % 2] + cookie[n % 4]) for n in range(8)],
        [touchpoint("d", minute=40, ids=cookie[9], **sold)],
        [touchpoint("e", minute=50, ids=cookie[1], type="erasure_requested")],
        [touchpoint("f", minute=90, ids=cookie[1] + customer[2]), touchpoint("g", minute=91, ids=cookie[0])],
    ]
    for events in fetches:
        records = []
        for event in events:
            identifier, prepared = prepare(event, POLICY, CATALOGUE)
            key = identifier_key(prepared["tenant"], identifier)
            assert partition_of(key, 1) == 0
            records.append((key, TOUCHPOINT.encode(prepared), None))
        worker.feed({(name, 0): records})
    return dict(logs)


def content(found: Any, seen: tuple[int, ...] = ()) -> Any:
    """What an object holds, without the objects: to compare states by."""
    if isinstance(found, dict):
        return {key: content(value, seen) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [content(value, seen) for value in found]
    if isinstance(found, set | frozenset):
        return {repr(content(one, seen)) for one in found}
    if type(found).__module__.split(".")[0] != "streams" or id(found) in seen:
        return found if isinstance(found, str | bytes | int | float | None) else type(found).__name__
    slots = (name for kind in type(found).__mro__ for name in getattr(kind, "__slots__", ()))
    names = {*slots, *getattr(found, "__dict__", ())} - {"native", "_policy", "_compressor"}
    return {name: content(getattr(found, name, None), (*seen, id(found))) for name in sorted(names)}


def content_of(state: Any) -> Any:
    """What a partition holds; its journeys as objects, which may lie here or in the native core."""
    if not hasattr(state, "journeys"):
        return content(state)
    held = {}
    for key in sorted(state.journeys):
        journey = state.journeys[key]
        timeline = journey.timeline
        entries = sorted((one.id, one.place, one.version, one.value) for one in timeline.held())
        held[key] = entries, content(timeline.pointers), content(timeline.summaries), content(journey.told)
    left = {
        "watermark": state.watermark,
        "perhaps": content(state.write_ahead),
        "due": sorted(state.due(2**62)),
    }
    return held | left


LOGS = whole_logs()


@pytest.mark.parametrize("topic", sorted({tp.topic for tp in LOGS}))
@settings(law, max_examples=15)
@given(data=st.data())
def test_a_copy_at_any_offset_and_the_tail_are_the_changelog(topic: str, data: st.DataObject) -> None:
    log = LOGS[TopicPartition(topic, 0)]
    cuts = data.draw(st.lists(st.integers(0, len(log)), min_size=1, max_size=5).map(sorted))
    native = installed_core() is not None and data.draw(st.booleans())
    with core(native=native):
        copied, whole = (TurnsWorker(1, clock=lambda: 0.0) for _ in range(2))
        tp = TopicPartition(topic, 0)
        standbys = Standbys(copied, clock=lambda: 0.0)  # type: ignore[arg-type]
        for state in copied.states:
            standbys.add(state)
        standbys.align({tp}, set())
        for start, end in zip([0, *cuts], cuts, strict=False):
            standbys.apply(tp, log[start:end])
            if data.draw(st.booleans()):
                standbys.copies()[tp].state.caught_up()
        [of_copy], [of_whole] = (
            [one for one in each.states if one.topic_name == topic] for each in (copied, whole)
        )
        ends = []
        for state in (of_copy, of_whole):
            asyncio.run(state.on_rebalance({tp}, set(), set(), 0))
            known = state.persisted_offset(tp)
            of_copy.apply_to(state.of(0), log[0 if known is None else known + 1 :])
            state.of(0).restored()
            ends.append(content_of(state.of(0)))
        assert (of_copy.persisted_offset(tp) or 0) == max(0, cuts[-1] - 1)
        assert ends[0] == ends[1]


def test_the_changelogs_of_this_test_have_all_kinds_of_records() -> None:
    kinds = {tp.topic: {record.value is None for record in log} for tp, log in LOGS.items()}
    assert len(kinds) == 4
    for name in (
        topics.STITCH_CHANGELOG.name,
        topics.IDENTITY_CHANGELOG.name,
        topics.JOURNEYS_CHANGELOG.name,
    ):
        assert kinds[name] == {True, False}, f"{name} has records and tombstones"
