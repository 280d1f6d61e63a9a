"""Suspended links: which pairs wait, because of which contested identifier, and which are released by when."""

import pytest

from streams.identity.resolution.evidence import Evidence, Item, Node, Pair
from streams.identity.resolution.gates import Gate
from streams.identity.resolution.suspended import SuspendedLinks

TABLET, PHONE = ("cookie", "tablet"), ("phone", "1")
ALICE, BOB, CAROL = ("customer_id", "A"), ("customer_id", "B"), ("customer_id", "C")


def pair(one: Node, other: Node) -> Pair:
    return min(one, other), max(one, other)


def seen(time: int) -> Evidence:
    return Evidence(observed=time, asserted=None)


#: The tablet and the phone are contested, and Alice's link with both waits. The tablet is closed for customers, for
#: which Bob's link waits.
HELD: list[tuple[Gate, Pair, Evidence]] = [
    (Gate(TABLET, ""), pair(TABLET, ALICE), seen(10)),
    (Gate(TABLET, "customer_id"), pair(TABLET, BOB), seen(20)),
    (Gate(PHONE, ""), pair(PHONE, ALICE), seen(30)),
]


def suspended() -> SuspendedLinks:
    links = SuspendedLinks()
    for held in HELD:
        links.hold(*held)
    return links


@pytest.mark.parametrize(
    ("asked", "evidence"),
    [
        pytest.param(pair(TABLET, ALICE), seen(10), id="a pair is found by its contested identifier"),
        pytest.param(pair(PHONE, ALICE), seen(30), id="each contested identifier has its own pairs"),
        pytest.param(pair(TABLET, CAROL), None, id="a pair that never waited has no evidence"),
        pytest.param(pair(ALICE, BOB), None, id="two identifiers that wait for the tablet are no pair"),
    ],
)
def test_the_evidence_of_a_suspended_pair_is_kept_until_it_is_released(asked, evidence) -> None:
    links = suspended()
    assert links.evidence(asked) == evidence
    assert links.release(asked) == evidence
    assert links.evidence(asked) is None
    assert links.release(asked) is None


@pytest.mark.parametrize(
    ("released", "left"),
    [
        pytest.param(
            [], [pair(TABLET, ALICE), pair(TABLET, BOB)], id="none released: both pairs of the tablet"
        ),
        pytest.param([pair(TABLET, ALICE)], [pair(TABLET, BOB)], id="one released: the other is left"),
        pytest.param([pair(TABLET, ALICE), pair(TABLET, BOB)], [], id="both released: none is left"),
        pytest.param(
            [pair(PHONE, ALICE)],
            [pair(TABLET, ALICE), pair(TABLET, BOB)],
            id="another's released: both are left",
        ),
    ],
)
def test_releasing_a_pair_leaves_the_other_pairs_of_the_identifier(released, left) -> None:
    links = suspended()
    for one in released:
        links.release(one)
    assert list(links.pairs_of(TABLET)) == left


@pytest.mark.parametrize(
    ("node", "pairs"),
    [
        pytest.param(TABLET, [pair(TABLET, ALICE), pair(TABLET, BOB)], id="the contested side of two pairs"),
        pytest.param(ALICE, [pair(TABLET, ALICE), pair(PHONE, ALICE)], id="the other side of two pairs"),
        pytest.param(BOB, [pair(TABLET, BOB)], id="the other side of one pair"),
        pytest.param(CAROL, [], id="an identifier of no pair"),
    ],
)
def test_the_pairs_of_an_identifier_include_those_where_the_other_side_is_contested(node, pairs) -> None:
    assert list(suspended().pairs_of(node)) == pairs


@pytest.mark.parametrize(
    ("gate", "since", "pairs"),
    [
        pytest.param(
            Gate(TABLET, ""),
            (10, pair(TABLET, ALICE), False),
            [],
            id="contested since its first link: it waits",
        ),
        pytest.param(
            Gate(TABLET, ""), (20, pair(TABLET, BOB), False), [pair(TABLET, ALICE)], id="since later: it goes"
        ),
        pytest.param(Gate(TABLET, ""), None, [pair(TABLET, ALICE)], id="no longer contested: it goes"),
        pytest.param(
            Gate(TABLET, "customer_id"), None, [pair(TABLET, BOB)], id="no longer closed: its own goes"
        ),
        pytest.param(Gate(PHONE, "customer_id"), None, [], id="a gate that never refused"),
    ],
)
def test_links_from_before_a_gate_refused_need_not_wait(
    gate: Gate, since: Item | None, pairs: list[Pair]
) -> None:
    assert [one for one, _ in suspended().before(gate, since)] == pairs
