"""Laws of identity resolution, checked on random histories in a world so small that everything collides."""

from collections import Counter
from typing import Any

import networkx as nx
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.identity.resolution.clusters import COMPONENT_SIZE
from streams.identity.resolution.components import Decision, TenantIdentities
from streams.identity.resolution.definition import (
    Assignment,
    Resolution,
    contested_profile,
    own_profile,
    resolve,
)
from streams.identity.resolution.evidence import Evidence, Node, join
from streams.identity.resolution.gates import by_gate
from tests.support.identity_people import (
    NODES,
    TENANT,
    assignments,
    evidence_map,
    groups,
    histories,
    long_histories,
    observed,
    policy,
)
from tests.support.naive_resolution import naive_owners

POLICY = policy()
times = st.none() | st.integers(0, 9)
evidences = st.builds(Evidence, times, times)


@given(evidences, evidences, evidences)
def test_joining_evidence_is_idempotent_commutative_and_associative(one, two, three):
    assert join(one, one) == one
    assert join(one, two) == join(two, one)
    assert join(join(one, two), three) == join(one, join(two, three))


@given(histories)
def test_the_definition_equals_the_naive_oracle(history):
    links = evidence_map(history)
    resolution = resolve(TENANT, POLICY, links)
    owners, refused = naive_owners(TENANT, links)
    assert {node: (one.profile_id, one.contested_from) for node, one in resolution.items()} == owners
    assert resolution.refused == refused


@settings(max_examples=400)
@given(histories)
def test_after_every_event_the_incremental_result_equals_the_definition(history):
    identities = TenantIdentities(TENANT, POLICY)
    published: dict[tuple[str, str], Assignment] = {}
    for seen, event in enumerate(history, start=1):
        decision = identities.observe(*event)
        links = evidence_map(history[:seen])
        assert (decision is None) == (evidence_map(history[: seen - 1]) == links)
        expected = resolve(TENANT, POLICY, links)
        _publish(decision, published)
        assert assignments(identities, NODES) == {
            node: expected.get(node, Assignment(own_profile(TENANT, node), None, None)) for node in NODES
        }
        assert published == dict(expected)
        assert identities.refused() == expected.refused
        assert {pair: identities.evidence(pair) for pair in links} == links
        for node, assignment in expected.items():
            assert identities.members(node) == expected.profiles[assignment.profile_id]


def refused_by(expected: Any) -> Counter[str]:
    """The refused links of a resolution, by what refused them."""
    return Counter(
        "gate" if by_gate(reason) else reason.partition(":")[0] for reason in expected.refused.values()
    )


def oversized(expected: Resolution) -> set[Node]:
    """The identifiers of components that are too large."""
    reasons = expected.refused.items()
    return {node for (_, pair, _), reason in reasons if reason == COMPONENT_SIZE for node in pair}


@settings(max_examples=60)
@given(long_histories)
def test_in_a_larger_world_too_the_incremental_result_equals_the_definition(history):
    identities = TenantIdentities(TENANT, POLICY)
    published: dict[tuple[str, str], Assignment] = {}
    for seen, event in enumerate(history, start=1):
        _publish(identities.observe(*event), published)
        if seen % 5 == 0 or seen == len(history):
            expected = resolve(TENANT, POLICY, evidence_map(history[:seen]))
            assert published == dict(expected)
            assert identities.refused() == expected.refused
            assert +identities.refusals == refused_by(expected)
            assert identities.oversized == len(oversized(expected))


@settings(max_examples=60)
@given(long_histories, st.data())
def test_in_a_larger_world_too_forgetting_equals_never_having_seen(history, data):
    forgotten = data.draw(st.sampled_from(history))[0][0]
    identities = observed(history)
    assert sorted(pair for pair in evidence_map(history) if forgotten in pair) == identities.pairs_of(
        forgotten
    )
    identities.withdraw(identities.pairs_of(forgotten), "erasure")
    never = [event for event in history if forgotten not in event[0]]
    expected = resolve(TENANT, POLICY, evidence_map(never))
    assert identities.refused() == expected.refused
    assert +identities.refusals == refused_by(expected)
    assert {node: identities.assignment(node) for node in expected} == dict(expected)


@given(histories, st.data())
def test_permuting_and_repeating_events_changes_nothing(history, data):
    repeated = history + data.draw(st.lists(st.sampled_from(history), max_size=5))
    shuffled = data.draw(st.permutations(repeated))
    one, other = observed(history), observed(shuffled)
    assert assignments(one, NODES) == assignments(other, NODES)
    assert one.refused() == other.refused()


@given(histories, st.data())
def test_partitions_of_the_events_joined_equal_the_whole(history, data):
    ways = data.draw(st.lists(st.integers(0, 2), min_size=len(history), max_size=len(history)))
    parts = [
        evidence_map(event for event, way in zip(history, ways, strict=True) if way == part)
        for part in range(3)
    ]
    identities = TenantIdentities(TENANT, POLICY)
    for part in parts:
        for pair, evidence in part.items():
            identities.restore(pair, evidence)
    assert assignments(identities, NODES) == assignments(observed(history), NODES)


@given(histories, st.data())
def test_a_restart_at_any_point_changes_nothing(history, data):
    cut = data.draw(st.integers(0, len(history)))
    identities = TenantIdentities(TENANT, POLICY)
    for pair, evidence in data.draw(st.permutations(list(evidence_map(history[:cut]).items()))):
        identities.restore(pair, evidence)
    untouched = observed(history[:cut])
    for event in history[cut:]:
        assert identities.observe(*event) == untouched.observe(*event)
    assert assignments(identities, NODES) == assignments(untouched, NODES)


@given(histories, st.data())
def test_forgetting_an_identifier_equals_never_having_seen_its_links(history, data):
    forgotten = data.draw(st.sampled_from(NODES))
    identities = observed(history)
    identities.withdraw([pair for pair in evidence_map(history) if forgotten in pair], "erasure")
    never = observed(event for event in history if forgotten not in event[0])
    assert assignments(identities, NODES) == assignments(never, NODES)
    assert identities.refused() == never.refused()
    for event in data.draw(histories):
        identities.observe(*event)
        never.observe(*event)
    assert assignments(identities, NODES) == assignments(never, NODES)


def test_a_suspended_link_is_decided_although_an_erasure_left_its_identifier_without_another():
    x, w, d = ("cookie", "x"), ("cookie", "w"), ("device", "d")
    a, b, c = (("customer_id", name) for name in "ABC")
    history = [
        ((x, a), 1, False),
        ((x, d), 1, False),
        ((x, c), 0, True),
        ((b, d), 0, False),
        ((w, x), 0, False),
    ]
    identities = observed(history)
    identities.withdraw([(b, d)], "erasure")
    identities.observe((w, a), 0, False)
    never = observed([*(event for event in history if event[0] != (b, d)), ((w, a), 0, False)])
    assert assignments(identities, NODES) == assignments(never, NODES)


@given(histories)
def test_without_rules_profiles_are_the_connected_components(history):
    identities = observed(history, policy(""))
    graph = nx.Graph([pair for pair, _, _ in history])
    linked = assignments(identities, graph.nodes)
    assert groups(linked) == {frozenset(component) for component in nx.connected_components(graph)}


@given(histories)
def test_no_profile_holds_two_values_of_a_unique_type_without_an_asserted_link(history):
    identities = observed(event for event in history if not event[2])
    for profile in groups(assignments(identities, NODES)):
        assert sum(type_ == "customer_id" for type_, _ in profile) <= 1


@given(histories)
def test_no_profile_ever_holds_more_values_than_a_limit(history):
    for profile in groups(assignments(observed(history), NODES)):
        assert sum(type_ == "email" for type_, _ in profile) <= 2
        assert sum(type_ == "cookie" for type_, _ in profile) <= 3


@given(histories)
def test_a_contested_identifier_belongs_to_nobody_else_from_then_on(history):
    identities = observed(history)
    for node, assignment in assignments(identities, NODES).items():
        if assignment.contested_from is not None:
            assert assignment.owner_at(assignment.contested_from) == contested_profile(TENANT, node)
            assert assignment.owner_at(assignment.contested_from - 1) == assignment.profile_id
            assert node[0] != "customer_id"


@given(histories)
def test_tenants_never_meet(history):
    here, there = observed(history), observed(history, tenant="bank")
    ids_here, ids_there = (
        {
            name
            for one in assignments(identities, NODES).values()
            for name in (one.profile_id, one.owner_at(99))
        }
        for identities in (here, there)
    )
    assert ids_here.isdisjoint(ids_there)
    assert groups(assignments(here, NODES)) == groups(assignments(there, NODES))


@given(histories)
def test_decisions_account_for_every_profile_that_goes_or_appears(history):
    identities = TenantIdentities(TENANT, POLICY)
    for event in history:
        before = _named(identities)
        decision = identities.observe(*event) or Decision()
        after = _named(identities)
        gone = [profile for _, profiles, _ in decision.merged for profile in profiles]
        appeared = {profile for _, profiles, _ in decision.split for profile in profiles}
        assert sorted(gone) == sorted(before - after)
        assert appeared <= after - before
        survivors = {survivor for survivor, _, _ in decision.merged}
        assert after - before <= appeared | survivors
        assert survivors <= after
        assert all(profile in before | after for profile, _, _ in decision.split)
        assert decision.changed == sorted(decision.changed, key=lambda change: change[0])


def _named(identities: TenantIdentities) -> set[str]:
    """All profile ids in use; those of identifiers without links, too."""
    found = assignments(identities, NODES).values()
    return {one.profile_id for one in found} | {
        one.contested_profile_id for one in found if one.contested_profile_id
    }


def _publish(decision: Decision | None, published: dict) -> None:
    for node, before, after in (decision or Decision()).changed:
        assert published.get(node) == before
        assert before != after
        published[node] = after
