"""A component of more identifiers than `component_size` is dissolved: each of them is a profile of its own."""

from collections import Counter
from itertools import permutations

import pytest

from streams.identity.policy.decision_rules import DecisionRules
from streams.identity.resolution.clusters import COMPONENT_SIZE
from streams.identity.resolution.components import TenantIdentities
from streams.identity.resolution.corrections import CorrectedIdentities
from streams.identity.resolution.resumable import run_to_end
from tests.support.identity_people import RULES, TENANT, Link, link, node, observed, own, policy

#: Of the `component_size` of these tests' policy.
MOST = 7
HUB = "phone:hub"


def star(count: int, *, asserted: bool = False, since: int = 100) -> list[Link]:
    """`count` identifiers, the hub among them, that links with the hub unite; the newest first."""
    return [link(HUB, f"device:{n}", since - n, asserted=asserted) for n in range(1, count)]


def names(count: int) -> list[str]:
    return [HUB, *(f"device:{n}" for n in range(1, count))]


def profiles(identities: TenantIdentities | CorrectedIdentities, count: int) -> list[str]:
    return [identities.assignment(node(name)).profile_id for name in names(count)]


@pytest.mark.parametrize("asserted", [False, True])
def test_as_many_identifiers_as_the_bound_says_are_one_profile_and_one_more_dissolves_it(
    asserted: bool,
) -> None:
    full = observed(star(MOST, asserted=asserted))
    assert set(profiles(full, MOST)) == {own(f"device:{MOST - 1}")}
    assert not full.refused()
    assert full.oversized == full.oversized_components == 0

    links = star(MOST + 1, asserted=asserted)
    over = observed(links)
    assert profiles(over, MOST + 1) == [own(name) for name in names(MOST + 1)]
    assert over.refused() == {(time, pair, asserted): COMPONENT_SIZE for pair, time, _ in links}
    assert +over.refusals == Counter({COMPONENT_SIZE: MOST})
    assert (over.oversized, over.oversized_components) == (MOST + 1, 1)
    assert over.members(node(HUB)) == [node(HUB)]


def test_an_asserted_and_an_observed_link_of_one_pair_are_two_refused_links() -> None:
    links = [*star(MOST + 1), link(HUB, "device:1", 500, asserted=True)]
    over = observed(links)
    assert over.refusals[COMPONENT_SIZE] == len(over.refused()) == MOST + 1


def test_the_link_that_dissolves_a_profile_splits_it_and_says_why() -> None:
    *first, last = star(MOST + 1)
    identities = observed(first)
    decision = identities.observe(*last)
    assert decision is not None
    gone = f"device:{MOST - 1}"  # that named the profile
    expected = sorted(own(name) for name in names(MOST) if name != gone)
    assert decision.split == [(own(gone), expected, COMPONENT_SIZE)]
    assert not decision.merged


def test_a_further_link_of_a_dissolved_component_changes_no_owner() -> None:
    identities = observed(star(MOST + 1))
    for late in (link(HUB, "device:new", 1), link("device:1", "device:2", 500, asserted=True)):
        decision = identities.observe(*late)
        assert decision is not None
        changed = {one for one, before, _ in decision.changed if before is not None}
        assert not changed
        assert not decision.merged
        assert not decision.split
    assert identities.refusals[COMPONENT_SIZE] == MOST + 2


def test_the_order_of_arrival_does_not_matter() -> None:
    one, other = star(4), [link("device:a", f"device:a{n}", n) for n in range(3)]
    bridge = link(HUB, "device:a", 1000)
    expected = observed([*one, *other, bridge])
    assert expected.oversized == MOST + 1
    for parts in permutations((one, other, [bridge])):
        found = observed([each for part in parts for each in part])
        assert found.refused() == expected.refused()
        assert profiles(found, 4) == profiles(expected, 4)


@pytest.mark.parametrize("asserted", [False, True])
def test_what_a_withdrawn_link_or_an_erasure_makes_small_again_is_one_profile_again(asserted: bool) -> None:
    far = "device:1"
    for shrink in ("unlink", "erase"):
        identities = CorrectedIdentities(TENANT, policy())
        for version, event in enumerate(star(MOST + 1, asserted=asserted)):
            identities.observe(*event, version)
        if shrink == "unlink":
            outcome = identities.unlink(link(HUB, far, 0)[0], 200, 100)
        else:
            outcome = identities.erase(node(far), 200, 100)
        assert outcome is not None
        assert outcome.decision.merged
        kept = [name for name in names(MOST + 1) if name != far]
        assert {identities.assignment(node(name)).profile_id for name in kept} == {own(f"device:{MOST}")}
        assert identities.assignment(node(far)).profile_id == own(far)
        assert not identities.identities.refused()
        assert not +identities.identities.refusals

        identities.observe(*link(HUB, far, 300, asserted=asserted), 200)
        assert profiles(identities, MOST + 1) == [own(name) for name in names(MOST + 1)]


def test_a_larger_bound_unites_what_a_smaller_one_had_dissolved_and_tells_it_as_a_change_of_policy() -> None:
    roomy = policy(RULES.replace("component_size = 7", "component_size = 8"))
    identities = TenantIdentities(TENANT, roomy)
    identities.decided_under([DecisionRules.of(policy(), TENANT)])
    links = star(MOST + 1)
    for pair, evidence in ((pair, observed([one]).evidence(pair)) for one in links for pair in (one[0],)):
        assert evidence is not None
        identities.restore(pair, evidence)
    decision = run_to_end(identities.review_resumably([node(HUB)]))
    assert [(survivor, rule) for survivor, _, rule in decision.merged] == [(own(f"device:{MOST}"), "policy")]
    assert len(decision.changed) == MOST


def test_counting_while_a_decision_is_paused_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.identity.resolution.resumable.STEPS_BETWEEN_YIELDS", 1)
    people = [link(f"customer_id:{who}", f"alias:{who}{n}", n) for who in "AB" for n in range(MOST + 1)]
    shared = [link("alias:A0", "alias:B0", 50)]
    identities = observed([*people, *shared])
    assert identities.oversized_components == 2
    late = link("customer_id:A", "alias:A1", -5)
    for _ in identities.replace_resumably({late[0]: None}, "unlink"):
        assert identities.refusals[COMPONENT_SIZE] >= 0
    assert identities.refusals[COMPONENT_SIZE] == Counter(identities.refused().values())[COMPONENT_SIZE]
