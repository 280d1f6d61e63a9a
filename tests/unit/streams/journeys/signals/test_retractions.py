"""Why a signal is retracted stands in its record, and who follows the documentation ends with what holds."""

from typing import Any

import pytest

from schemas.encoding.record_types import JOURNEY_SIGNAL
from schemas.records import IdentityAssignment, Touchpoint
from streams.identity.resolution.definition import own_profile
from streams.journeys.agent import IDLE_SECONDS
from streams.journeys.signals.told import Told
from streams.journeys.state.signals import MAX_MOMENTS
from streams.journeys.timeline.effects import Effects
from tests.support.journeys import CATALOGUE, DAY, RULES, START, fold, touchpoint
from tests.support.journeys_of import assigned, fed
from tests.support.subscriber import Subscriber
from tests.unit.streams.journeys.signals.test_write_ahead import UP_TO_THE_CHANGELOG, cut_off
from tests.unit.streams.journeys.test_deadlines import (
    CART,
    NOW,
    ORDER,
    Published,
    Worker,
    resolved,
    somebody_else,
)

OWN = own_profile("default", ("cookie", "c1"))
OTHER = own_profile("default", ("email", "x@y.org"))


def to(profile: str, version: int = 50, *, erased_at: int | None = None) -> IdentityAssignment:
    """The cookie belongs to a profile from now on; what it did until then was perhaps erased."""
    found = assigned("c1", profile, version)
    if erased_at is not None:
        found["correction"] = {"version": version, "erased_at": erased_at, "cuts": [erased_at]}
    return found


def moved(profile: str, assignment: IdentityAssignment) -> tuple[str, Any]:
    return "Move", {"profile_id": profile, "assignment": assignment}


def carts(broker: Published) -> list[tuple[Any, ...]]:
    """What was told of carts, in order: profile, status, why, and who has it now."""
    return [
        (signal["profile_id"], signal["status"], signal["reason"], signal["successor"])
        for signal in broker.signals
        if signal["kind"] == "abandoned_cart"
    ]


def holding(broker: Published) -> set[tuple[str, str, str]]:
    read = Subscriber().read(JOURNEY_SIGNAL.encode(signal) for signal in broker.signals)
    return {(s["profile_id"], s["kind"], s["subject_id"]) for s in read.holding()}


def by_definition(profile: str, *items: Touchpoint, now: int = NOW) -> set[tuple[str, str, str]]:
    return {(profile, signal.kind, signal.subject_id) for signal in fold(*items).signals(now)}


def abandoned() -> tuple[Published, Worker]:
    broker = Published()
    worker = Worker(broker, NOW)
    worker.take(CART)
    worker.tick(IDLE_SECONDS + 1)
    assert carts(broker) == [(OWN, "RAISED", None, None)]
    return broker, worker


def test_what_later_evidence_contradicts_says_so() -> None:
    broker, worker = abandoned()
    worker.take(ORDER, offset=1)
    assert carts(broker)[1:] == [(OWN, "RETRACTED", "CONTRADICTED", None)]
    assert holding(broker) == by_definition(OWN, CART, ORDER)


def test_a_merge_retracts_everything_of_the_one_that_is_gone_and_the_survivor_raises_its_own() -> None:
    broker, worker = abandoned()
    worker.hear(moved(OWN, to(OTHER)), offset=1)
    assert carts(broker)[1:] == [(OWN, "RETRACTED", "MOVED", OTHER)]
    assert holding(broker) == set()
    assert broker.states[-1][1] is None

    worker.hear(*broker.inputs, offset=2)
    worker.tick(IDLE_SECONDS + 1)
    assert carts(broker)[2:] == [(OTHER, "RAISED", None, None)]
    assert holding(broker) == by_definition(OTHER, CART)
    cart = [signal for signal in broker.signals if signal["kind"] == "abandoned_cart"]
    assert len({signal["signal_id"] for signal in cart}) == 2
    assert len({signal["subject_id"] for signal in cart}) == 1


def test_who_hears_of_the_survivor_before_the_loser_ends_with_the_same() -> None:
    broker, worker = abandoned()
    worker.hear(moved(OWN, to(OTHER)), offset=1)
    worker.hear(*broker.inputs, offset=2)
    worker.tick(IDLE_SECONDS + 1)
    survivors_first = sorted(broker.signals, key=lambda signal: signal["profile_id"] != OTHER)
    read = Subscriber().read(JOURNEY_SIGNAL.encode(signal) for signal in survivors_first)
    assert {(s["profile_id"], s["kind"], s["subject_id"]) for s in read.holding()} == by_definition(
        OTHER, CART
    )


def test_a_split_after_a_merge_gives_everything_back_under_the_old_ids() -> None:
    broker, worker = abandoned()
    worker.hear(moved(OWN, to(OTHER)), offset=1)
    worker.hear(*broker.inputs, offset=2)
    worker.tick(IDLE_SECONDS + 1)
    worker.hear(moved(OTHER, to(OWN, 60)), offset=10)
    assert carts(broker)[-1] == (OTHER, "RETRACTED", "MOVED", OWN)
    worker.hear(*broker.inputs[-1:], offset=11)
    worker.tick(IDLE_SECONDS + 1)
    assert carts(broker)[-1] == (OWN, "RAISED", None, None)
    assert holding(broker) == by_definition(OWN, CART)


def test_an_erasure_says_that_what_a_signal_was_about_is_erased() -> None:
    broker, worker = abandoned()
    erase = {"profile_id": OWN, "assignment": to(OWN, erased_at=NOW), "profile_ids": [OWN]}
    worker.hear(("Erase", erase), offset=1)
    assert carts(broker)[1:] == [(OWN, "RETRACTED", "ERASED", None)]
    assert holding(broker) == set()
    assert broker.states[-1][1] is None


@pytest.mark.parametrize("after", range(4))
def test_a_crash_in_the_middle_of_a_merge_leaves_nothing_raised_of_who_is_gone(after: int) -> None:
    broker, worker = abandoned()
    try:
        cut_off(broker, lambda: worker.hear(moved(OWN, to(OTHER)), offset=1), after)
    except AssertionError:
        assert after >= UP_TO_THE_CHANGELOG  # nothing is raised: there is less to write
    broker.fails_at = None
    again = Worker(broker, NOW)
    again.hear(moved(OWN, to(OTHER)), offset=1)
    transfers = [found for found in broker.inputs if found[0] == "Transfer"]
    again.hear(*transfers, offset=2)
    again.tick(IDLE_SECONDS + 1)
    again.tick(IDLE_SECONDS + 1)
    assert holding(broker) == by_definition(OTHER, CART)


def test_a_raise_that_a_crash_cut_off_is_retracted_although_the_profile_is_gone_when_it_comes_back() -> None:
    broker = Published()
    cut_off(broker, lambda: Worker(broker, NOW).take(CART, somebody_else(99)), UP_TO_THE_CHANGELOG)
    assert carts(broker) == [(OWN, "RAISED", None, None)]
    Worker(broker, NOW).hear(
        ("ResolvedTouchpoint", resolved(CART)), ("ResolvedTouchpoint", resolved(somebody_else(99))),
        moved(OWN, to(OTHER)),
    )  # fmt: skip
    assert [found[1] for found in carts(broker)][-1] == "RETRACTED"
    assert not {found for found in holding(broker) if found[0] == OWN}


def test_a_moment_too_old_to_be_remembered_is_let_go() -> None:
    broker = Published()
    worker = Worker(broker, START + 400 * DAY)
    storms = [
        touchpoint("shipment_lost", 60 * 24 * day + minute, event_id=f"s{day}-{minute}")
        for day in range(0, 7 * MAX_MOMENTS + 7, 7)
        for minute in (0, 1)
    ]
    worker.take(*storms[: 2 * MAX_MOMENTS])
    worker.take(*storms[2 * MAX_MOMENTS :], offset=1000)
    gone = [
        (s["kind"], s["reason"], s["event_ids"][-1]) for s in broker.signals if s["status"] == "RETRACTED"
    ]
    assert gone == [("friction_spike", "LET_GO", "s0-1")]
    assert holding(broker) == by_definition(OWN, *storms, now=START + 400 * DAY)


def test_a_summary_that_moves_takes_its_moments_along() -> None:
    old = [touchpoint("shipment_lost", minute, event_id=f"s{minute}") for minute in range(2)]
    calm = [touchpoint("home", 360 * (number + 1), event_id=f"h{number}") for number in range(600)]
    timeline = fed([*old, *calm], RULES, profile=OWN)
    assert timeline.summaries
    now = calm[-1]["occurred_at"]
    before = timeline.fold(CATALOGUE, RULES)
    told = Told()
    list(told.diff(before.signals(now), Effects(), before))
    effects = Effects()
    timeline.move(to(OTHER), effects)
    news = list(told.diff([], effects, timeline.fold(CATALOGUE, RULES)))
    assert {(n.signal.kind, n.reason, n.successor) for n in news} == {("friction_spike", "MOVED", OTHER)}
