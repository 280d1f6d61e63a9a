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

    def restore(self, key: bytes, value: bytes | None) -> None:
        self.changes.append((key, value))

    def restored(self) -> None:
        if self.broken:
            raise ValueError("it does not add up")


def fetch(*keys: bytes) -> Any:
    records = [SimpleNamespace(key=key, value=b"", offset=number) for number, key in enumerate(keys)]
    return SimpleNamespace(message=SimpleNamespace(partition=0, offset=len(keys) - 1), value=records)


async def recovered(monkeypatch: pytest.MonkeyPatch, kept: Kept) -> list[BaseException]:
    app = WorkerApp(Settings())
    crashes: list[BaseException] = []

    async def crash(reason: BaseException) -> None:
        crashes.append(reason)

    monkeypatch.setattr(app, "crash", crash)
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
