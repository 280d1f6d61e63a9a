"""Components, by hand: the links that they hold, and the history that two joined components have."""

import pytest

from streams.identity.resolution.clusters import Clusters
from streams.identity.resolution.component import Component
from streams.identity.resolution.evidence import Evidence, Item, Pair
from streams.identity.resolution.history import SMALLEST_ITEM, History
from tests.support.identity_people import TENANT, Link, link, policy


def pair(one: str, other: str) -> Pair:
    return link(one, other, 0)[0]


def item(one: Link) -> Item:
    linked, time, asserted = one
    return time, linked, asserted


def seen(time: int) -> Evidence:
    return Evidence(observed=time, asserted=None)


A, B, C, D = (pair("email:a", f"device:{name}") for name in "abcd")


@pytest.mark.parametrize(
    ("puts", "removed", "links"),
    [
        pytest.param([], [], {}, id="a new component links nothing"),
        pytest.param([(A, seen(1))], [], {A: seen(1)}, id="one pair"),
        pytest.param(
            [(A, seen(2)), (A, seen(1))], [], {A: seen(1)}, id="later evidence of a pair replaces earlier"
        ),
        pytest.param(
            [(A, Evidence(1, 5))], [], {A: Evidence(1, 5)}, id="an observation and an assertion are both kept"
        ),
        pytest.param(
            [(A, seen(1)), (B, seen(2)), (C, seen(3)), (D, seen(4))],
            [],
            {A: seen(1), B: seen(2), C: seen(3), D: seen(4)},
            id="four pairs",
        ),
        pytest.param(
            [(A, seen(1)), (B, seen(2)), (C, seen(3))],
            [B],
            {A: seen(1), C: seen(3)},
            id="one of three is removed",
        ),
        pytest.param(
            [(A, seen(1)), (B, seen(2)), (C, seen(3)), (D, seen(4))],
            [A, D],
            {B: seen(2), C: seen(3)},
            id="two of four are removed",
        ),
        pytest.param([(A, seen(1))], [A], {}, id="the only one is removed"),
    ],
)
def test_a_component_holds_the_newest_evidence_of_each_pair_that_is_not_removed(puts, removed, links) -> None:
    component = Component(None)
    for one, evidence in puts:
        component.put(one, evidence)
    for one in removed:
        component.remove_suspended(one)
    assert dict(component.links()) == links
    assert component.size == len(links)
    assert {one: component.evidence(one) for one in (A, B, C, D)} == {
        one: links.get(one) for one in (A, B, C, D)
    }
    assert list(component.departed) == removed


#: Two people. Neither breaks a rule, so each link is accepted.
LARGE = [link("email:a", "device:a", 10), link("email:a", "device:b", 30), link("email:a", "device:c", 50)]
SMALL = [link("phone:1", "device:d", 20), link("phone:1", "device:e", 40)]


def decided(clusters: Clusters, links: list[Link], history: History | None) -> Component:
    """A component of accepted links; a history gets a step for each."""
    component = Component(history)
    for one in links:
        for node in one[0]:
            if node not in clusters.cluster_of:
                clusters.add(node)
        undo = clusters.unite(item(one), clusters.survivor(item(one)))
        if history is not None:
            history.append(item(one), undo, refused=False)
        component.add(item(one), seen(one[1]))
    for one in links:
        for node in one[0]:
            clusters.cluster_of[node].component = component
    return component


IN_ORDER = [10, 20, 30, 40, 50]


@pytest.mark.parametrize(
    ("large", "small", "begin", "steps"),
    [
        pytest.param(False, False, None, None, id="neither has a history: nor has the joint one"),
        pytest.param(True, True, SMALLEST_ITEM, IN_ORDER, id="both have one: the steps interleave by time"),
        pytest.param(
            True, False, SMALLEST_ITEM, IN_ORDER, id="the larger has one: the smaller is decided again"
        ),
        pytest.param(
            False,
            True,
            item(LARGE[-1]),
            [20, 40],
            id="the smaller has one: it begins after the larger's newest link",
        ),
    ],
)
def test_a_joint_history_orders_the_steps_of_both_components(large, small, begin, steps) -> None:
    clusters = Clusters(TENANT, policy())
    kept = decided(clusters, LARGE, History(SMALLEST_ITEM) if large else None)
    joined = decided(clusters, SMALL, History(SMALLEST_ITEM) if small else None)
    kept.join(joined, clusters)
    if begin is None:
        assert kept.history is None
    else:
        assert kept.history is not None
        assert kept.history.begin == begin
        assert [step.item[0] for step in kept.history.steps] == steps


@pytest.mark.parametrize(
    ("keeping", "joining"),
    [
        pytest.param(LARGE, SMALL, id="the newest link is the keeping one's"),
        pytest.param(SMALL, LARGE, id="the newest link is the joining one's"),
    ],
)
def test_a_joint_component_holds_the_links_of_both_and_its_identifiers_know_it(keeping, joining) -> None:
    clusters = Clusters(TENANT, policy())
    kept, joined = decided(clusters, keeping, None), decided(clusters, joining, None)
    joined.remove_suspended(joining[0][0])
    kept.join(joined, clusters)
    assert dict(kept.links()) == {one[0]: seen(one[1]) for one in (*keeping, *joining[1:])}
    assert list(kept.departed) == [joining[0][0]]
    assert kept.newest == item(LARGE[-1])
    assert all(cluster.component is kept for cluster in clusters.cluster_of.values())


def test_a_history_that_is_learned_by_deciding_again_reverts_what_it_decided() -> None:
    clusters = Clusters(TENANT, policy())
    component = decided(clusters, LARGE, None)
    history = component.recorded(clusters)
    assert len(clusters.cluster_of[("email", "a")].members) == 4
    assert list(history.rewind(1, clusters, None, {})) == [item(LARGE[2]), item(LARGE[1])]
    assert sorted(clusters.cluster_of[("email", "a")].members) == [("device", "a"), ("email", "a")]
