"""The simulated population: deterministic, valid, and with everything that makes journeys hard."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from deploy.simulation.episodes import BLOCKED_VALUES
from deploy.simulation.population import Population, simulate
from schemas.catalogue import Catalogue
from schemas.records import Touchpoint
from schemas.touchpoint.json_form import from_json, to_json
from schemas.touchpoint.rules import check
from streams.identity.policy.load import load
from streams.identity.policy.prepare import prepare
from tests.support.built_in import CATALOGUE

PLAN = Population(people=200, events=6000, seed=7)


@pytest.fixture(scope="module")
def events() -> list[Touchpoint]:
    return list(simulate(PLAN))


def test_the_same_arguments_give_the_same_touchpoints(events: list[Touchpoint]) -> None:
    assert list(simulate(PLAN)) == events


def identities(events: Iterable[Touchpoint]) -> set[str]:
    """Everything that names a person, an account, a visit, a case or an event."""
    names = {event[name] for event in events for name in ("event_id", "account_id", "session_id", "issue_id")}
    values = {one["value"] for event in events for one in event["identifiers"]}
    return {str(name) for name in names if name is not None} | values - set(BLOCKED_VALUES)


@pytest.mark.parametrize("seed", [0, 1, 8, 70, 77, 999_999])
def test_another_seed_has_nobody_and_nothing_in_common(events: list[Touchpoint], seed: int) -> None:
    others = list(simulate(Population(people=200, events=6000, seed=seed)))
    assert not identities(events) & identities(others)


@pytest.mark.parametrize(
    "other", [{"events": 6001}, {"days": 29.0}, {"start_ms": 1_000_000_000_000}, {"tenant": "acme"}]
)
def test_the_same_people_may_do_something_else_in_events_of_their_own(
    events: list[Touchpoint], other: dict[str, Any]
) -> None:
    again = list(simulate(replace(PLAN, **other)))
    assert not {event["event_id"] for event in events} & {event["event_id"] for event in again}
    customers = [{one["value"] for event in each for one in event["identifiers"]} for each in (events, again)]
    assert len(customers[0] & customers[1]) > 0.9 * len(customers[0])


@pytest.mark.parametrize(("people", "seed"), [(0, 1), (1_000_001, 1), (1, -1), (1, 1_000_000)])
def test_more_people_or_seeds_than_phone_numbers_can_tell_apart_are_refused(people: int, seed: int) -> None:
    with pytest.raises(ValueError, match="seeds go from 0 to 999,999 and people from 1 to 1,000,000"):
        Population(people, 1, seed)


@pytest.mark.parametrize(("people", "count"), [(1, 1), (1, 500), (3, 7), (5000, 100)])
def test_there_are_exactly_as_many_lines_as_asked_for(people: int, count: int) -> None:
    assert sum(1 for _ in simulate(Population(people, count, seed=1))) == count


def test_every_touchpoint_keeps_the_contract_and_survives_its_json_form(events: list[Touchpoint]) -> None:
    for event in events:
        check(event)
        assert from_json(to_json(event), 0) == event


def test_every_touchpoint_has_a_usable_identifier(events: list[Touchpoint]) -> None:
    policy = load("", b"0123456789abcdef" * 4, "k1")
    for event in events:
        owner, prepared = prepare(event, policy, CATALOGUE)
        assert owner == prepared["identifiers"][0]
        assert prepare(prepared, policy, CATALOGUE) == (owner, prepared)


def test_every_type_and_channel_is_in_the_catalogue(events: list[Touchpoint]) -> None:
    catalogue = Catalogue.load()
    assert {event["type"] for event in events} <= catalogue.types.keys()
    assert {event["channel"] for event in events} <= catalogue.channels


def test_about_one_in_a_hundred_is_an_exact_duplicate_and_one_in_fifty_late(events: list[Touchpoint]) -> None:
    distinct = {event["event_id"]: event for event in events}
    assert all(distinct[event["event_id"]] == event for event in events)
    assert 0.003 < 1 - len(distinct) / len(events) < 0.03
    late = sum(event["received_at"] - event["occurred_at"] > 60_000 for event in events)
    assert 0.005 < late / len(events) < 0.05


def test_touchpoints_come_mostly_in_the_order_of_their_arrival(events: list[Touchpoint]) -> None:
    pairs = list(pairwise(events))
    ahead = sum(first["received_at"] > second["received_at"] for first, second in pairs)
    assert 0 < ahead < len(pairs) / 20
    assert any(first["occurred_at"] > second["occurred_at"] for first, second in pairs)


def test_they_begin_at_the_start_and_carry_the_tenant() -> None:
    start = 1_000_000_000_000
    events = list(simulate(Population(10, 200, seed=1, days=1, start_ms=start, tenant="acme")))
    assert all(event["tenant"] == "acme" and event["occurred_at"] >= start for event in events)


def test_the_population_has_what_makes_journeys_hard(events: list[Touchpoint]) -> None:
    types = Counter(event["type"] for event in events)
    identifiers = {(one["type"], one["value"]) for event in events for one in event["identifiers"]}
    holders: dict[str, set[str]] = {}
    for event in events:
        ids = {one["type"]: one["value"] for one in event["identifiers"]}
        if "cookie" in ids and "customer_id" in ids:
            holders.setdefault(ids["cookie"], set()).add(ids["customer_id"])
    assert {kind for kind, _ in identifiers} == {"cookie", "customer_id", "device_id", "email", "phone"}
    assert any(len(customers) > 1 for customers in holders.values()), "a shared tablet"
    assert any(value in BLOCKED_VALUES for _, value in identifiers), "a call from nobody's number"
    assert 0 < types["order_placed"] < types["checkout_started"] < types["add_to_cart"], "abandoned carts"
    assert types["payment_error"]
    assert 0 < types["issue_solved"] < types["issue_opened"]
    assert any(event["account_id"] for event in events)
    assert any(event["amount_minor"] and event["currency"] for event in events)
    assert {event["score"]["kind"] for event in events if event["score"]} == {"NPS", "CSAT", "CES"}
    assert {"GRANTED", "REVOKED"} <= {decision for event in events for decision in event["consent"].values()}
    channels_of_case: dict[str, set[str]] = {}
    for event in events:
        if event["issue_id"]:
            channels_of_case.setdefault(event["issue_id"], set()).add(event["channel"])
    assert any(len(channels) > 2 for channels in channels_of_case.values()), "channel hopping"
