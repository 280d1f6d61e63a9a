"""The peers benchmark is fair only if its workload has one right answer and its checks notice a wrong one."""

import json
from collections import defaultdict
from dataclasses import replace

import pytest

from tests.benchmarks.peers.answers import WrongAnswerError, check, expected, of_state
from tests.benchmarks.peers.core import Meanings, advance
from tests.benchmarks.peers.harness import Cost
from tests.benchmarks.peers.lab import meanings_of
from tests.benchmarks.peers.report import lines, ratio
from tests.benchmarks.peers.workload import cookie_of, profile_of, touchpoints
from tests.support.built_in import CATALOGUE

EVENTS = touchpoints(2_000, 100)


def test_the_workload_is_as_long_as_asked_in_order_and_without_repeats():
    places = [(event["occurred_at"], event["event_id"]) for event in EVENTS]
    assert len(EVENTS) == 2_000
    assert places == sorted(set(places))


def test_the_same_arguments_give_the_same_events():
    assert touchpoints(2_000, 100) == EVENTS


def test_a_cookie_is_one_profile_from_its_first_touchpoint_on():
    profiles = defaultdict(set)
    for event in EVENTS:
        profiles[cookie_of(event)].add(profile_of(event))
    assert all(len(found) == 1 for found in profiles.values())
    owners = [profile for found in profiles.values() for profile in found]
    assert len(owners) == len(set(owners))


def test_the_peers_state_gives_the_right_answers(tmp_path):
    catalogue = tmp_path / "catalogue.json"
    catalogue.write_text(json.dumps(meanings_of(CATALOGUE)))
    meanings, states = Meanings(catalogue), {}
    for event in EVENTS:
        profile = profile_of(event)
        states[profile] = json.loads(json.dumps(advance(states.get(profile), event, meanings)))
    found = {profile: of_state(state) for profile, state in states.items()}
    check("the peers' state", found, expected(EVENTS, CATALOGUE, net=False))


def test_a_wrong_a_missing_and_an_invented_profile_are_noticed():
    right = expected(EVENTS, CATALOGUE, net=False)
    profile, answer = next(iter(right.items()))
    for wrong in (
        right | {profile: replace(answer, orders=answer.orders + 1)},
        {name: one for name, one in right.items() if name != profile},
        right | {"nobody": answer},
    ):
        with pytest.raises(WrongAnswerError, match="1 of"):
            check("a peer", wrong, right)


def test_a_peer_that_inserts_is_compared_with_worker_and_loader_and_one_that_does_not_with_the_worker():
    costs = [
        Cost("touchline", 100, {"worker": 2.0, "loader": 1.0}, 1.0, {"worker": 10, "loader": 5}),
        Cost("quix", 100, {"peer": 6.0}, 1.0, {"peer": 20}),
        Cost("quix, no inserts", 100, {"peer": 5.0}, 1.0, {"peer": 20}),
    ]
    by_name = {line.what: line for line in lines(costs)}
    assert ratio(by_name["quix"], by_name) == 2.0
    assert ratio(by_name["quix, no inserts"], by_name) == 2.5
    assert ratio(by_name["touchline"], by_name) is None
    assert by_name["touchline"].peak_mib == 15
