"""Deadlines as the worker keeps them: fired once, by event time or the clock, never for what came in time.

The agent and the application are the real ones; only the broker is not there: what is published stands in lists.
"""

import asyncio
from itertools import pairwise
from typing import Any

from schemas import topics
from schemas.encoding.codec import decode, encode
from schemas.encoding.record_types import JOURNEY_SIGNAL
from schemas.keys import profile_key
from schemas.records import ResolvedTouchpoint, Touchpoint
from streams.identity.resolution.definition import own_profile
from streams.identity.resolution.ownership import NO_VERSION
from streams.journeys.agent import IDLE_SECONDS, Journeys
from streams.journeys.rules.rules import JourneyRules
from tests.support.agents import FetchEvent, Record, assert_named, worker_app
from tests.support.built_in import CATALOGUE, RULES
from tests.support.journeys import HOUR, MINUTE, START, touchpoint

CART = touchpoint("add_to_cart", 0)
ORDER = touchpoint("purchase", 20)


class Published:
    """Takes outboxes as the broker would."""

    def __init__(self) -> None:
        self.signals: list[dict[str, Any]] = []
        self.inputs: list[tuple[str, Any]] = []  #: what profiles tell each other
        self.states: list[tuple[bytes, bytes | None]] = []
        self.changelog: list[tuple[bytes, bytes | None]] = []
        self.fails_at: int | None = None  #: that many publications from now the broker is gone

    async def publish(self, outbox: Any) -> dict[Any, tuple[int, int]]:
        if self.fails_at is not None:
            self.fails_at -= 1
            if self.fails_at < 0:
                raise ConnectionError("the broker is gone")
        for (topic, _), records in outbox.records.items():
            for _, value, _ in records:
                assert_named(topic, value)
            if topic.endswith(topics.JOURNEY_SIGNALS.name):
                self.signals += [JOURNEY_SIGNAL.decode(value) for _, value, _ in records]
            elif topic.endswith(topics.JOURNEY_INPUTS.name):
                self.inputs += [decode(value) for _, value, _ in records]
            elif topic.endswith(topics.JOURNEY_STATES.name):
                self.states += [(key, value) for key, value, _ in records]
            elif topic.endswith("changelog"):
                self.changelog += [(key, value) for key, value, _ in records]
        return {}


class Worker:
    """One life of a worker of one partition: it begins with whatever the changelog holds."""

    def __init__(self, broker: Published, clock: float, rules: JourneyRules = RULES) -> None:
        self.clock = clock
        self.journeys = Journeys(worker_app(broker), CATALOGUE, rules, clock=lambda: self.clock / 1000)
        self.partition = self.journeys.state.of(0)
        for key, value in broker.changelog:
            self.partition.restore(key, value)
        self.partition.restored()

    def take(self, *items: Touchpoint, offset: int = 0) -> None:
        self.hear(*(("ResolvedTouchpoint", resolved(item)) for item in items), offset=offset)

    def hear(self, *messages: tuple[str, Any], offset: int = 0) -> None:
        """Take messages of any kind, each with its name, as one fetch."""
        records = [
            Record(key=_key_of(message), value=encode(name, message), offset=offset + number)
            for number, (name, message) in enumerate(messages)
        ]
        asyncio.run(self.journeys.take(FetchEvent(records)))

    def tick(self, seconds: float = 1) -> None:
        self.clock += seconds * 1000
        asyncio.run(self.journeys.deadlines())


def _key_of(message: Any) -> bytes:
    tenant = (message["touchpoint"] if "touchpoint" in message else message["assignment"])["tenant"]
    return profile_key(tenant, message["profile_id"])


def resolved(item: Touchpoint) -> ResolvedTouchpoint:
    identifier = item["identifiers"][0]
    profile = own_profile("default", (identifier["type"], identifier["value"]))
    return ResolvedTouchpoint(identifier=identifier, profile_id=profile, version=NO_VERSION, touchpoint=item)


def told(broker: Published, kind: str = "abandoned_cart") -> list[str]:
    return [signal["status"] for signal in broker.signals if signal["kind"] == kind]


def somebody_else(minute: float) -> Touchpoint:
    return touchpoint("home", minute, identifiers=[{"type": "cookie", "value": "other"}])


NOW = START + 5 * 24 * HOUR


def test_a_deadline_fires_once_by_event_time() -> None:
    broker = Published()
    worker = Worker(broker, NOW)
    worker.take(CART)
    worker.tick()
    assert told(broker) == []
    worker.take(somebody_else(31), offset=1)
    for _ in range(3):
        worker.tick()
    assert told(broker) == ["RAISED"]


def test_a_deadline_fires_once_by_the_clock_when_nothing_comes_in() -> None:
    broker = Published()
    worker = Worker(broker, NOW)
    worker.take(CART)
    worker.tick(IDLE_SECONDS - 1)
    assert told(broker) == []
    worker.tick(2)
    worker.tick(2)
    assert told(broker) == ["RAISED"]


def test_a_touchpoint_from_the_future_fires_nothing_before_its_time() -> None:
    broker = Published()
    worker = Worker(broker, START + MINUTE)
    worker.take(CART, somebody_else(600))
    worker.tick()
    assert told(broker) == []


def test_a_restart_repeats_nothing_and_forgets_nothing() -> None:
    broker = Published()
    first = Worker(broker, NOW)
    first.take(CART)
    first.tick(IDLE_SECONDS + 1)
    other_cart = touchpoint("add_to_cart", 60 * 24 * 4, identifiers=[{"type": "cookie", "value": "other"}])
    first.take(other_cart, offset=1)
    stages = len(told(broker, "stage_entered"))
    assert (told(broker), stages) == (["RAISED"], 2)

    second = Worker(broker, NOW + HOUR)
    second.tick()
    assert told(broker) == ["RAISED"]  # what is in Kafka comes before the clock
    second.tick(IDLE_SECONDS + 1)
    second.take(touchpoint("home", 60 * 24 * 4 + 1), offset=2)
    assert told(broker) == ["RAISED", "RAISED"]  # the other's, by the clock
    assert len({signal["signal_id"] for signal in broker.signals}) == len(broker.signals)


def test_what_the_clock_had_fired_before_a_restart_is_not_open_again_after_it() -> None:
    broker = Published()
    first = Worker(broker, NOW)
    first.take(CART)
    first.tick(IDLE_SECONDS + 1)

    second = Worker(broker, NOW + HOUR)
    second.take(touchpoint("email_sent", 2), offset=1)  # event time is still before the deadline
    second.tick(IDLE_SECONDS + 1)
    assert told(broker) == ["RAISED"]


def test_an_order_that_waited_in_kafka_while_the_worker_was_down_prevents_the_signal() -> None:
    broker = Published()
    Worker(broker, START + MINUTE).take(CART)
    second = Worker(broker, NOW)
    second.tick()
    second.take(ORDER, offset=1)
    second.tick(IDLE_SECONDS + 1)
    assert told(broker) == []


def test_an_order_that_arrives_after_the_deadline_but_happened_before_it_retracts_the_signal() -> None:
    broker = Published()
    Worker(broker, NOW).take(CART, somebody_else(99))
    second = Worker(broker, NOW)
    second.take(ORDER, offset=2)
    assert told(broker) == ["RAISED", "RETRACTED"]
    raised, retracted = (signal for signal in broker.signals if signal["kind"] == "abandoned_cart")
    assert raised["signal_id"] == retracted["signal_id"]
    assert raised["version"] < retracted["version"]


def test_a_signal_that_a_later_deadline_raises_again_beats_its_own_retraction() -> None:
    broker = Published()
    worker = Worker(broker, NOW)
    worker.take(CART, somebody_else(50))
    worker.take(touchpoint("cart", 25), offset=2)  # late: the session went on
    worker.take(somebody_else(56), offset=3)
    worker.tick()
    signals = [signal for signal in broker.signals if signal["kind"] == "abandoned_cart"]
    assert [signal["status"] for signal in signals] == ["RAISED", "RETRACTED", "RAISED"]
    versions = [signal["version"] for signal in signals]
    assert versions == sorted(set(versions))


def test_a_crash_between_the_signals_and_the_changelog_repeats_them_under_the_same_ids_and_versions() -> None:
    broker = Published()
    worker = Worker(broker, NOW)
    broker.fails_at = 2  # what is about to be raised and the outputs get out, the changelog does not
    try:
        worker.take(CART, somebody_else(99))
    except ConnectionError:
        broker.fails_at = None
    again = Worker(broker, NOW)
    again.take(CART, somebody_else(99))
    first, second = broker.signals[: len(broker.signals) // 2], broker.signals[len(broker.signals) // 2 :]
    assert first == second
    assert told(broker) == ["RAISED", "RAISED"]


def test_other_rules_after_a_restart_tell_subscribers_anew_what_holds() -> None:
    broker = Published()
    Worker(broker, NOW).take(CART, somebody_else(99))
    rules = JourneyRules.parse("[signals.friction_spike]\nat_least = 4", "mine.toml")
    Worker(broker, NOW, rules).take(CART, offset=5)
    assert told(broker) == ["RAISED", "RAISED"]


def stitched(minute: float, ahead_ms: int = 0) -> Touchpoint:
    """A touchpoint of somebody else, whose source's clock is so much ahead of its reception."""
    item = touchpoint("home", minute)
    return {
        **item,
        "identifiers": [{"type": "cookie", "value": "other"}],
        "occurred_at": item["occurred_at"] + ahead_ms,
    }


def missed(broker: Published) -> list[str]:
    return [signal["kind"] for signal in broker.signals if signal["kind"] != "stage_entered"]


def test_a_source_whose_clock_is_ahead_does_not_make_the_deadlines_of_others_pass_early() -> None:
    broker = Published()
    worker = Worker(broker, clock=START + 10 * 24 * HOUR)  # back-fill: the clock is days after the events
    worker.take(CART, stitched(5, ahead_ms=23 * HOUR))
    worker.tick()
    assert missed(broker) == []

    worker.take(ORDER, stitched(90), offset=2)  # the order was in Kafka all the time
    worker.tick()
    assert missed(broker) == []


def test_live_too_a_clock_ahead_lets_no_deadline_pass_before_its_time() -> None:
    broker = Published()
    worker = Worker(broker, clock=START + 6 * MINUTE)
    worker.take(CART, stitched(5, ahead_ms=23 * HOUR))
    worker.tick()
    assert missed(broker) == []


def test_events_received_after_a_deadline_make_it_pass_whatever_clock_was_ahead() -> None:
    broker = Published()
    worker = Worker(broker, clock=START + 10 * 24 * HOUR)
    worker.take(CART, stitched(5, ahead_ms=23 * HOUR), stitched(31))
    worker.tick()
    assert missed(broker) == ["abandoned_cart"]


class BusyWorker(Worker):
    """A worker on whose clock 5 ms pass between two looks."""

    @property
    def clock(self) -> float:
        self._clock += 5
        return self._clock

    @clock.setter
    def clock(self, clock: float) -> None:
        self._clock = clock


def test_many_deadlines_at_one_instant_take_turns_with_inputs() -> None:
    broker = Published()
    worker = BusyWorker(broker, NOW)
    worker.take(
        *(
            touchpoint("add_to_cart", 0, event_id=str(n), identifiers=[{"type": "cookie", "value": str(n)}])
            for n in range(60)
        )
    )
    told_at_inputs: list[int] = []

    async def fire_beside_inputs() -> None:
        firing = asyncio.create_task(worker.journeys.deadlines())
        while not firing.done():
            async with worker.journeys.lock(0):
                told_at_inputs.append(len(told(broker)))
            await asyncio.sleep(0)

    for _ in range(10):
        worker.clock += (IDLE_SECONDS + 1) * 1000
        asyncio.run(fire_beside_inputs())
    turns = [after - before for before, after in pairwise(told_at_inputs)]
    assert told_at_inputs[-1] == 60
    assert max(turns) <= 10
