"""The courier with an injected clock: consent under races, the circuit, 410, and what is written."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, time
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from schemas.records import JourneyState
from sinks.webhooks.changelog import Partition
from sinks.webhooks.courier import Courier
from sinks.webhooks.endpoints import Consent, Endpoint, Quiet, Retries
from sinks.webhooks.message import Notice
from sinks.webhooks.outbox import Outbox
from sinks.webhooks.pace import FAILURES
from sinks.webhooks.rendering import Template
from sinks.webhooks.verdicts import Reason, Verdict, of_http
from tests.support.webhooks import CONFIRMED, NOW, Someone, endpoint, notice, state

DOWN = Verdict(Reason.TIMEOUT)
TEXT = "{{ type }} {{ signal.signal_id }}"
GRANTED, REVOKED = ({"marketing": one} for one in ("GRANTED", "REVOKED"))
BACKOFF = Retries(1000, 1000, 10**9)


class Kafka:
    """A changelog that is written at once, and kept."""

    def __init__(self) -> None:
        self.records: dict[Any, Any] = {}
        self.log: list[Any] = []

    async def write(self, _number: int, changes: Any, deliveries: Any) -> None:
        await asyncio.sleep(0)
        self.log.extend(deliveries)
        for key, record in changes:
            self.records[key] = record


class Bench:
    """One endpoint with its courier; `answers` are given in order, then everything is confirmed."""

    def __init__(self, to: Endpoint, known: JourneyState | None, text: str) -> None:
        self.to = to
        self.text = text
        self.people = Someone(known)
        self.now = NOW
        self.kafka = Kafka()
        self.answers: list[Verdict] = []
        self.sent: list[str] = []
        self.held: asyncio.Event | None = None
        self.start()

    def start(self) -> None:
        outbox = Outbox({self.to.name: self.to})
        outbox.restore(one for one in self.kafka.records.values() if one is not None)
        self.partition = Partition(0, outbox, self.kafka, lambda _: None, self.wake)  # type: ignore[arg-type]
        template = Template("t", self.text, is_json=False)
        self.courier = Courier(
            self.to, self, template, {0: self.partition}, self.people, lambda: self.now, Random(1)
        )
        self.task = asyncio.create_task(self.courier.run())

    def wake(self) -> None:
        self.courier.wake()

    async def send(self, _webhook_id: str, body: bytes) -> Verdict:
        self.sent.append(body.decode())
        if self.held is not None:
            await self.held.wait()
        return self.answers.pop(0) if self.answers else CONFIRMED

    async def close(self) -> None: ...

    async def told(self, *notices: Notice) -> None:
        for one in notices:
            self.partition.outbox.take(one, self.to, wanted=True, now=self.now)
        await self.partition.flush()
        await self.rest()

    async def rest(self, *, later: int = 0) -> None:
        """Let the clock go on, and everything that is due happen."""
        self.now += later
        self.people.fresh = self.now
        self.wake()
        for _ in range(60):
            await asyncio.sleep(0)

    async def restart(self) -> None:
        await self.kill()
        self.start()

    async def kill(self) -> None:
        for task in (self.task, *self.partition.attempts):
            task.cancel()
        await asyncio.gather(self.task, *self.partition.attempts, return_exceptions=True)

    def outcomes(self) -> list[tuple[str, str]]:
        return [(one["outcome"], one["reason"]) for one in self.kafka.log]


def play(
    to: Endpoint,
    story: Callable[[Bench], Awaitable[None]],
    known: JourneyState | None = None,
    text: str = TEXT,
) -> Bench:
    async def whole() -> Bench:
        bench = Bench(to, known, text)
        await story(bench)
        await bench.kill()
        return bench

    return asyncio.run(whole())


def test_a_raise_is_told_at_once_and_its_retraction_after_it() -> None:
    async def story(bench: Bench) -> None:
        await bench.told(notice())
        await bench.told(notice(wanted="RETRACTED", version=4))

    bench = play(endpoint(), story)
    assert bench.sent == ["signal.raised s1", "signal.retracted s1"]
    assert bench.outcomes() == [("DELIVERED", ""), ("DELIVERED", "")]


asks = endpoint(consent=Consent("marketing"), retries=BACKOFF)


def test_consent_that_is_withdrawn_between_the_raise_and_its_delivery_counts() -> None:
    async def story(bench: Bench) -> None:
        bench.people.known = state(1, consent=REVOKED)
        await bench.told(notice())

    bench = play(asks, story, state(1, consent=GRANTED))
    assert bench.sent == []
    assert bench.outcomes() == [("WITHHELD", "CONSENT")]


def test_consent_that_is_withdrawn_during_the_backoff_counts() -> None:
    async def story(bench: Bench) -> None:
        bench.answers = [of_http(429)]
        await bench.told(notice())
        assert len(bench.sent) == 1
        bench.people.known = state(1, consent=REVOKED)
        await bench.rest(later=5000)

    bench = play(asks, story, state(1, consent=GRANTED))
    assert len(bench.sent) == 1
    assert bench.outcomes() == [("RETRY", "BUSY"), ("WITHHELD", "CONSENT")]


def test_consent_that_is_withdrawn_before_a_restart_counts() -> None:
    async def story(bench: Bench) -> None:
        bench.answers = [DOWN]
        await bench.told(notice())
        bench.people.known = state(1, consent=REVOKED)
        await bench.restart()
        await bench.rest(later=5000)

    bench = play(asks, story, state(1, consent=GRANTED))
    assert len(bench.sent) == 1
    assert bench.outcomes()[-1] == ("WITHHELD", "CONSENT")


def test_consent_that_is_granted_again_later_brings_back_nothing() -> None:
    async def story(bench: Bench) -> None:
        await bench.told(notice())
        bench.people.known = state(2, consent=GRANTED)
        await bench.restart()
        await bench.rest(later=10**7)
        await bench.told(notice("s2"))

    assert play(asks, story, state(1, consent=REVOKED)).sent == ["signal.raised s2"]


def test_the_control_arm_without_a_purpose_tells_somebody_who_withdrew() -> None:
    async def story(bench: Bench) -> None:
        await bench.told(notice())

    assert len(play(endpoint(), story, state(1, consent=REVOKED)).sent) == 1


def test_while_the_view_is_old_nothing_is_told_that_needs_consent() -> None:
    async def story(bench: Bench) -> None:
        bench.people.fresh = NOW - 60_000
        bench.partition.outbox.take(notice(), asks, wanted=True, now=NOW)
        await bench.partition.flush()
        for _ in range(60):
            await asyncio.sleep(0)
        assert bench.sent == []
        await bench.rest(later=2000)

    assert len(play(asks, story, state(1, consent=GRANTED)).sent) == 1


def test_a_raise_waits_for_the_morning_and_is_not_told_if_it_holds_no_longer_by_then() -> None:
    here = datetime.fromtimestamp(NOW / 1000, UTC)
    quiet = Quiet(time(here.hour), time((here.hour + 8) % 24), ZoneInfo("UTC"))

    async def story(bench: Bench) -> None:
        await bench.told(notice("s1"), notice("s2", person="p2"))
        await bench.told(notice("s1", "RETRACTED", 4))
        assert bench.sent == []
        await bench.rest(later=9 * 3_600_000)

    assert play(endpoint(quiet=quiet), story).sent == ["signal.raised s2"]


def test_an_open_circuit_leaves_the_receiver_alone_and_one_probe_closes_it() -> None:
    async def story(bench: Bench) -> None:
        bench.answers = [DOWN] * FAILURES
        await bench.told(*(notice(f"s{n}", person=f"p{n}") for n in range(FAILURES)))
        assert len(bench.sent) == FAILURES
        await bench.rest(later=1500)
        assert len(bench.sent) == FAILURES, "due, but the circuit is open"
        await bench.rest(later=10_000)

    bench = play(endpoint(retries=BACKOFF), story)
    assert len(bench.sent) == 2 * FAILURES


def test_410_ends_everything_for_the_endpoint_until_it_is_asked_for_again() -> None:
    async def story(bench: Bench) -> None:
        bench.answers = [of_http(410)]
        await bench.told(notice("s1"))
        await bench.told(notice("s2"), notice("s3", person="p2"))
        assert len(bench.sent) == 1
        bench.courier.restart()
        await bench.told(notice("s4"))

    bench = play(endpoint(), story)
    assert bench.sent == ["signal.raised s1", "signal.raised s4"]
    assert bench.outcomes() == [("DEAD", "GONE")] * 3 + [("DELIVERED", "")]


def test_a_pause_that_the_receiver_asks_for_holds_for_all_its_messages() -> None:
    async def story(bench: Bench) -> None:
        bench.answers = [of_http(429, retry_after_ms=60_000)]
        await bench.told(notice("s1"))
        await bench.told(notice("s2", person="p2"))
        await bench.rest(later=59_000)
        assert len(bench.sent) == 1
        await bench.rest(later=2000)

    assert len(play(endpoint(retries=BACKOFF), story).sent) == 3


def test_a_template_that_fails_makes_a_dead_letter_and_lets_the_next_one_pass() -> None:
    async def story(bench: Bench) -> None:
        await bench.told(notice("s0"), notice("s1"))

    bench = play(endpoint(), story, text="{{ 1 / (signal.signal_id | replace('s', '') | int) }}")
    assert bench.outcomes() == [("DEAD", "TEMPLATE"), ("DELIVERED", "")]


def test_a_bug_of_a_sender_costs_one_attempt(caplog: pytest.LogCaptureFixture) -> None:
    async def story(bench: Bench) -> None:
        whole = bench.send

        async def once(_webhook_id: str, _body: bytes) -> Verdict:
            bench.send = whole  # type: ignore[method-assign]
            raise RuntimeError("a bug")

        bench.send = once  # type: ignore[method-assign]
        await bench.told(notice())
        await bench.rest(later=5000)

    bench = play(endpoint(retries=BACKOFF), story)
    assert bench.outcomes() == [("RETRY", "UNEXPECTED"), ("DELIVERED", "")]
    assert "a bug" in caplog.text


def test_no_more_attempts_run_at_a_time_than_the_endpoint_allows() -> None:
    async def story(bench: Bench) -> None:
        bench.held = asyncio.Event()
        await bench.told(*(notice(person=f"p{n}") for n in range(20)))
        assert len(bench.sent) == 3
        bench.held.set()
        await bench.rest()

    assert len(play(endpoint(concurrency=3), story).sent) == 20


def test_an_attempt_that_a_rebalance_cuts_off_is_repeated_by_the_next_owner() -> None:
    async def story(bench: Bench) -> None:
        bench.held = asyncio.Event()
        await bench.told(notice())
        await bench.restart()
        bench.held = None
        await bench.rest()

    bench = play(endpoint(), story)
    assert bench.sent == ["signal.raised s1"] * 2
    assert len({one["webhook_id"] for one in bench.kafka.log}) == 1
