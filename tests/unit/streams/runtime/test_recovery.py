"""A failed recovery stops the worker, and a long one logs its progress."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from schemas.settings import Settings
from streams.runtime import state as table
from streams.runtime.app import WorkerApp
from streams.runtime.state import ChangelogState


class Kept:
    """A state that counts."""

    def __init__(self, broken: bool = False) -> None:
        self.broken = broken
        self.changes: list[tuple[bytes, bytes | None]] = []

    def restore_some(self, records: list[Any], start: int) -> int:  # noqa: ARG002
        return start

    def restore(self, key: bytes, value: bytes | None) -> None:
        self.changes.append((key, value))

    def restored(self) -> None:
        if self.broken:
            raise ValueError("it does not add up")

    def caught_up(self) -> None:
        """Nothing."""

    def sizes(self) -> dict[str, int]:
        return {}


def fetch(*keys: bytes) -> Any:
    records = [SimpleNamespace(key=key, value=b"", offset=number) for number, key in enumerate(keys)]
    return SimpleNamespace(message=SimpleNamespace(partition=0, offset=len(keys) - 1), value=records)


async def recovered(monkeypatch: pytest.MonkeyPatch, kept: Kept) -> list[BaseException]:
    app = WorkerApp(Settings())
    crashes: list[BaseException] = []

    async def crash(reason: BaseException) -> None:
        crashes.append(reason)

    monkeypatch.setattr(app, "crash", crash)
    monkeypatch.setattr(app, "last_changelog_offset", lambda _: 2)
    state: ChangelogState[Kept] = ChangelogState(app, "kept", lambda _: kept)
    part = TP(state.topic_name, 0)
    await state.on_rebalance({part}, set(), set())
    state.apply_changelog_batch([fetch(b"a", b"b"), fetch(b"c")])
    try:
        await state.on_recovery_completed({part}, set())
    except ValueError:
        await asyncio.sleep(0)
    return crashes


def test_a_state_that_cannot_be_finished_stops_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    [reason] = asyncio.run(recovered(monkeypatch, Kept(broken=True)))
    assert str(reason) == "it does not add up"


def test_a_long_recovery_says_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(table, "PROGRESS_SECONDS", -1)
    kept = Kept()
    with caplog.at_level(logging.INFO, "touchline.worker"):
        assert asyncio.run(recovered(monkeypatch, kept)) == []
    assert kept.changes == [(b"a", b""), (b"b", b""), (b"c", b"")]
    assert caplog.messages == [
        "restoring kept: 3 changelog records so far",
        "restored kept: 3 changelog records",
    ]


class Log:
    """A changelog partition, and a state that is recovered from it in one rebalance after another."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        app = WorkerApp(Settings())
        self.kept: list[Kept] = []  #: each is made when the one before has been dropped
        self.state: ChangelogState[Kept] = ChangelogState(app, "kept", self._new)
        self.part = TP(self.state.topic_name, 0)
        self.keys: list[bytes] = []
        monkeypatch.setattr(app, "last_changelog_offset", lambda _: len(self.keys) - 1)

    def _new(self, _: int) -> Kept:
        self.kept.append(Kept())
        return self.kept[-1]

    def rebalance(self, generation: int, *, up_to: int | None = None) -> None:
        """Recover the partition; with `up_to` another rebalance begins when so many records are read."""
        asyncio.run(self.state.on_rebalance({self.part}, set(), set(), generation))
        known = self.state.persisted_offset(self.part)
        start = 0 if known is None else known + 1
        rest = self.keys[start:up_to]
        if rest:
            records = [SimpleNamespace(key=key, value=b"", offset=start + at) for at, key in enumerate(rest)]
            message = SimpleNamespace(partition=0, offset=records[-1].offset)
            self.state.apply_changelog_batch([SimpleNamespace(message=message, value=records)])
        asyncio.run(self.state.on_recovery_completed({self.part}, set()))

    def read(self) -> list[bytes]:
        return [key for key, _ in self.kept[-1].changes]


def test_state_in_use_takes_no_record_of_a_former_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(monkeypatch)
    log.keys = [b"a"]
    log.rebalance(7)
    log.keys.append(b"late")
    log.rebalance(8)
    assert (len(log.kept), log.read()) == (1, [b"a"])
    assert log.state.known_offsets() == {0: 0}


def test_a_worker_that_missed_a_generation_recovers_from_the_beginning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = Log(monkeypatch)
    log.keys = [b"a"]
    log.rebalance(7)
    log.keys.append(b"of another owner")
    log.rebalance(9)
    assert (len(log.kept), log.read()) == (2, [b"a", b"of another owner"])
    assert log.state.known_offsets() == {0: 1}


def test_a_worker_holds_no_state_that_an_older_fetch_made_of_a_partition_it_has_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = Log(monkeypatch)
    log.rebalance(7)
    mine, lost = log.state.of(0), log.state.of(1)
    assert log.state.holds(0, mine)
    assert not log.state.holds(1, lost)


def test_a_recovery_that_a_rebalance_cut_off_goes_on_where_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    log = Log(monkeypatch)
    log.keys = [b"a", b"b", b"c"]
    log.rebalance(7, up_to=2)
    assert log.state.known_offsets() == {}
    log.rebalance(8)
    assert (len(log.kept), log.read()) == (1, [b"a", b"b", b"c"])
    assert log.state.known_offsets() == {0: 2}
