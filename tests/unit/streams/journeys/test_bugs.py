"""A bug that one journey meets costs that journey a dead letter or a log line, and the others nothing."""

from typing import Any

import pytest

from schemas.encoding.record_types import DEAD_LETTER, JOURNEY_STATE
from streams.journeys.signals.told import Told
from streams.journeys.timeline.timeline import Timeline
from tests.support.journeys import touchpoint
from tests.unit.streams.journeys.test_deadlines import (
    CART,
    NOW,
    Published,
    Worker,
    resolved,
    somebody_else,
    told,
)


class WithLetters(Published):
    def __init__(self) -> None:
        super().__init__()
        self.letters: list[dict[str, Any]] = []

    async def publish(self, outbox: Any) -> Any:
        for (topic, _), records in outbox.records.items():
            if topic == "dead-letters":
                self.letters += [DEAD_LETTER.decode(value) for _, value, _ in records]
        return await super().publish(outbox)


def failing(monkeypatch: pytest.MonkeyPatch, kind: type, name: str, profile_id: str) -> None:
    """Let a method of a timeline, or one that is given a timeline, fail for one profile."""
    real = getattr(kind, name)

    def fail(self: Any, *arguments: Any, **more: Any) -> Any:
        timeline = self if isinstance(self, Timeline) else arguments[1]
        if timeline.profile_id == profile_id:
            raise OverflowError("a bug")
        return real(self, *arguments, **more)

    monkeypatch.setattr(kind, name, fail)


def test_a_state_that_cannot_be_computed_is_a_dead_letter_of_its_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing(monkeypatch, Timeline, "sealed", resolved(CART)["profile_id"])
    broker = WithLetters()

    Worker(broker, NOW).take(CART, somebody_else(1))

    assert [letter["reason"] for letter in broker.letters] == ["UNEXPECTED"]
    (state,) = [JOURNEY_STATE.decode(value) for _, value in broker.states]
    assert state["profile_id"] == resolved(somebody_else(1))["profile_id"]


def test_deadlines_of_one_journey_that_cannot_be_told_hold_no_others_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broker = WithLetters()
    worker = Worker(broker, NOW)
    other = touchpoint("add_to_cart", 0, identifiers=[{"type": "cookie", "value": "c2"}])
    worker.take(CART, other)
    failing(monkeypatch, Told, "publish", resolved(CART)["profile_id"])

    worker.take(touchpoint("home", 31, identifiers=[{"type": "cookie", "value": "c3"}]), offset=2)
    worker.tick()

    assert told(broker) == ["RAISED"]
    assert "a bug, please report it" in caplog.text
