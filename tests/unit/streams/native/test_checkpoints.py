"""A worker that starts from a checkpoint and the changelog's tail has the state that the whole changelog gives it."""

import asyncio
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from faust.types import TP
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.encoding.codec import encode
from streams.journeys import checkpoints
from streams.journeys.agent import Journeys
from streams.journeys.partition import JourneyPartition
from tests.support.agents import FetchEvent, Record, worker_app
from tests.support.built_in import CATALOGUE
from tests.support.journeys import DAY, START
from tests.support.journeys_of import law
from tests.support.native import core, needs_native
from tests.unit.streams.native.test_equal_fetches import (
    RULES,
    Broker,
    Step,
    crowded,
    fetches,
    key_of,
    moved,
    plain,
)

pytestmark = [needs_native, pytest.mark.usefixtures("crowded")]
assert crowded

#: What models have learnt since they were renewed is in a checkpoint, and not in the changelog.
WITHOUT_MODELS = replace(RULES, predict_next=False, predict_risk=False)


@dataclass
class Log(Broker):
    """A broker that tells where its changelog ends, and what is at an offset."""

    reads: list[int] = field(default_factory=list)

    async def publish(self, outbox: Any) -> dict[Any, tuple[int, int]]:
        first = len(self.changelog)
        await super().publish(outbox)
        changed = [place for place in outbox.records if place[0].endswith("changelog")]
        return {place: (first, len(self.changelog) - 1) for place in changed}

    def next_offset(self) -> int:
        return len(self.changelog)

    async def record_at(self, topic: str, partition: int, offset: int) -> Record | None:  # noqa: ARG002
        self.reads.append(offset)
        return self.record(offset) if offset < len(self.changelog) else None

    def record(self, offset: int) -> Record:
        return Record("", 0, offset, 0, *self.changelog[offset])


class World:
    """Workers one after the other, of one changelog."""

    def __init__(self, folder: Path | str = "") -> None:
        self.log = Log()
        self.folder = str(folder)
        self.offset = 0
        self.journeys = self.born()

    def born(self, *, checkpointed: bool = True) -> Journeys:
        """A worker that has recovered."""
        app = worker_app(self.log)
        app.log_reader = self.log  # type: ignore[assignment]
        folder = self.folder if checkpointed else ""
        app.settings = replace(app.settings, state_dir=folder)
        journeys = Journeys(app, CATALOGUE, WITHOUT_MODELS, clock=lambda: (START + 2 * DAY) / 1000)
        asyncio.run(self._recover(journeys))
        return journeys

    async def _recover(self, journeys: Journeys) -> None:
        state = journeys.state
        parts = {TP(state.topic_name, 0)}
        await state.on_rebalance(parts, set(), set(), 0)
        known = state.persisted_offset(TP(state.topic_name, 0))
        tail = [
            self.log.record(at) for at in range(0 if known is None else known + 1, len(self.log.changelog))
        ]
        if tail:
            state.apply_changelog_batch([FetchEvent(tail)])
        await state.on_recovery_completed(parts, set())

    def take(self, step: Step) -> None:
        assert isinstance(step, list)
        records = []
        for name, message in step:
            whole = isinstance(name, str)
            key, value = (key_of(message), encode(name, message)) if whole else (name, message)
            records.append(Record(topics.JOURNEY_INPUTS.name, 0, self.offset, 0, key, value))
            self.offset += 1
        asyncio.run(self.journeys.take(FetchEvent(records)))

    def save(self) -> None:
        asyncio.run(self.journeys.checkpoints())


def held(partition: JourneyPartition) -> dict[bytes, Any]:
    """Everything that a partition keeps; it may be used no more."""
    found = {}
    for key in list(partition.journeys):
        timeline, told = partition.journeys[key].timeline, partition.journeys[key].told
        entries = sorted((one.id, one.place, one.version, one.value) for one in timeline.held())
        found[key] = (
            timeline.version, timeline.settled, entries, timeline.pointers,
            timeline.summaries, timeline.order, told.last, told.signals, told.unconfirmed,
        )  # fmt: skip
    return found


@pytest.fixture
def native() -> Iterator[None]:
    with core(native=True):
        yield


@settings(law, max_examples=int(os.environ.get("NATIVE_EXAMPLES", "6")))  # each starts six workers
@given(
    st.lists(fetches, min_size=1, max_size=3), st.lists(fetches, max_size=2), st.lists(fetches, max_size=2)
)
def test_a_checkpoint_and_the_tail_are_the_changelog(
    tmp_path_factory: pytest.TempPathFactory, before: list[Step], tail: list[Step], after: list[Step]
) -> None:
    with core(native=True):
        world = World(tmp_path_factory.mktemp("state"))
        for step in before:
            world.take(step)
        world.save()
        # what changes nothing, as a fetch of dead letters, leaves nothing to write down
        written = bool(world.log.changelog)
        for step in tail:
            world.take(step)
        with core(native=False):
            whole = world.born(checkpointed=False).state.of(0)
        begun = world.born().state.of(0)
        assert bool(world.log.reads) == written
        assert sorted(begun.due(2**62)) == sorted(whole.due(2**62)), "the same deadlines"
        watermark = begun.watermark
        assert held(begun) == held(whole)
        ends = []
        for checkpointed in (True, False):
            other = World()
            other.log.changelog, other.offset, other.folder = (
                list(world.log.changelog),
                world.offset,
                world.folder,
            )
            other.journeys = other.born(checkpointed=checkpointed)
            other.journeys.state.of(0).watermark = watermark  # a forwarded touchpoint's is in no changelog
            for step in after:
                other.take(step)
            ends.append(other.log.published)
        assert ends[0] == ends[1]


def some(world: World) -> World:
    world.take([plain(0), plain(1), plain(0, 1), plain(3, 2, account_id="acme"), moved()])
    world.save()
    return world


def refused(world: World, caplog: pytest.LogCaptureFixture) -> str:
    """Why a worker that starts refuses the checkpoint; it recovers from the changelog."""
    caplog.clear()
    with caplog.at_level(logging.INFO):
        begun = world.born().state.of(0)
    assert held(begun) == held(world.born(checkpointed=False).state.of(0))
    return "; ".join(message for message in caplog.messages if "refused" in message)


@pytest.mark.usefixtures("native")
def test_a_restart_reads_only_what_came_after_the_checkpoint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = some(World(tmp_path))
    world.take([plain(5)])
    with caplog.at_level(logging.INFO):
        begun = world.born()
    assert "3 journeys from the checkpoint" in caplog.text
    assert begun.state.records_restored == 0
    tail = [text for text in caplog.messages if text.startswith("restored journeys")]
    assert tail == [
        f"restored journeys: {len(world.log.changelog) - world.log.reads[-1] - 1} changelog records"
    ]
    assert len(begun.state.of(0).journeys.native or ()) == 2, "an account's stays Python's"


@pytest.mark.usefixtures("native")
def test_what_cannot_be_trusted_is_refused_and_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    world = some(World(tmp_path))
    assert refused(world, caplog) == ""
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert "cut off" in refused(world, caplog)
    path.write_bytes(b"something else")
    assert "no checkpoint" in refused(world, caplog)
    path.write_bytes(whole)
    mark = world.log.reads[-1]
    for other in (b"//c/other", b"default/p/e/x"):
        kept, world.log.changelog[mark] = world.log.changelog[mark], (other, None)
        if other.startswith(b"//"):
            assert "too old, or of another topic" in refused(world, caplog)
        world.log.changelog[mark] = kept
    assert refused(world, caplog) == ""


@pytest.mark.usefixtures("native")
def test_a_checkpoint_of_other_rules_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = some(World(tmp_path))
    monkeypatch.setattr("streams.journeys.agent.build_of", lambda *_: "another")
    assert "other rules" in refused(world, caplog)


@pytest.mark.usefixtures("native")
def test_too_many_journeys_of_python_make_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(checkpoints, "MOST_IN_PYTHON", 0)
    with caplog.at_level(logging.INFO):
        some(World(tmp_path))
    assert "has no checkpoint: Python keeps" in caplog.text
    assert not list(tmp_path.iterdir())


def test_without_the_native_core_there_is_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with core(native=False):
        World(tmp_path)
    assert "only the native core writes checkpoints" in caplog.text
