"""Why two identifiers are one person or not: readable cases, and no explanation contradicts the definition."""

from collections.abc import Iterable

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Identifier, IdentityLink
from streams.identity.explain import Explanation, Step, explain
from streams.identity.resolution.corrections import Corrections
from streams.identity.resolution.definition import resolve
from streams.identity.resolution.profile_id import Assignment, contested_profile, own_profile
from tests.support.identity_people import (
    NODES,
    TENANT,
    Link,
    evidence_map,
    histories,
    link,
    node,
    own,
    policy,
)

POLICY = policy()


def records(links: Iterable[Link]) -> list[IdentityLink]:
    """Links as events show them: event e0 from source s, e1 ..."""
    return [
        IdentityLink(
            tenant=TENANT,
            left=Identifier(type=left[0], value=left[1]),
            right=Identifier(type=right[0], value=right[1]),
            occurred_at=time,
            kind="ASSERTED" if asserted else "OBSERVED",
            event_id=f"e{number}",
            source="s",
        )
        for number, ((left, right), time, asserted) in enumerate(links)
    ]


def ask(links: Iterable[Link], one: str, other: str, at: int | None = None) -> Explanation:
    return explain(TENANT, POLICY, records(links), node(one), node(other), at)


def told(steps: Iterable[Step]) -> list[str]:
    return [
        f"{'='.join(':'.join(end) for end in step.proof[:2])} {step.proof.event_id}"
        + (f" {step.refusal.rule}" if step.refusal else "")
        for step in steps
    ]


CHAIN = [
    link("cookie:c", "email:a", 1),
    link("customer_id:A", "email:a", 5),
    link("customer_id:A", "device:d", 7),
    link("cookie:c", "device:d", 9),
]


def test_a_chain_names_every_event_between_two_identifiers():
    answer = ask(CHAIN, "cookie:c", "customer_id:A")
    assert answer.same
    assert told(answer.steps) == ["cookie:c=email:a e0", "email:a=customer_id:A e1"]
    assert (answer.since, answer.until) == (5, None)
    assert answer.one.owner == answer.other.owner == own("cookie:c")


def test_the_earliest_chain_is_told_even_if_a_later_one_is_shorter():
    answer = ask(CHAIN, "cookie:c", "device:d")
    assert told(answer.steps) == [
        "cookie:c=email:a e0",
        "email:a=customer_id:A e1",
        "customer_id:A=device:d e2",
    ]
    assert answer.since == 7


def test_as_of_an_earlier_time_only_earlier_evidence_counts():
    before, after = (ask(CHAIN, "cookie:c", "device:d", at) for at in (6, 7))
    assert not before.same
    assert (before.steps, before.other.linked) == ((), False)
    assert after.same


def test_of_several_events_for_one_link_the_earliest_is_the_evidence_whatever_arrives_first():
    links = [link("cookie:c", "email:a", time) for time in (9, 3, 3, 5)]
    assert told(ask(links, "cookie:c", "email:a").steps) == ["cookie:c=email:a e1"]


TABLET = [
    link("cookie:tablet", "customer_id:A", 10),
    link("cookie:tablet", "customer_id:B", 12),
    link("cookie:tablet", "email:c", 13),
]


def test_the_family_tablet_was_alices_until_bob_logged_in():
    answer = ask(TABLET, "cookie:tablet", "customer_id:A")
    assert not answer.same
    assert told(answer.steps) == ["cookie:tablet=customer_id:A e0"]
    assert (answer.since, answer.until) == (10, 12)
    assert answer.one.owner == contested_profile(TENANT, node("cookie:tablet"))
    assert answer.one.profile_id == own("cookie:tablet")
    assert answer.one.contested_by is not None
    assert answer.one.contested_by.event_id == "e1"
    assert ask(TABLET, "cookie:tablet", "customer_id:A", at=11).same


def test_a_refused_link_names_the_values_that_would_have_come_together():
    answer = ask(TABLET, "cookie:tablet", "customer_id:B")
    assert told(answer.refusals) == ["cookie:tablet=customer_id:B e1 unique:customer_id"]
    refusal = answer.refusals[0].refusal
    assert refusal is not None
    assert refusal.values == (node("customer_id:A"), node("customer_id:B"))
    assert (answer.since, answer.until) == (None, None)


def test_what_a_shared_identifier_touches_later_is_refused_because_it_is_shared():
    answer = ask(TABLET, "email:c", "customer_id:A")
    assert told(answer.steps) == [
        "email:c=cookie:tablet e2 contested",
        "cookie:tablet=customer_id:A e0",
    ]
    refusal = answer.refusals[0].refusal
    assert refusal is not None
    assert (refusal.values, refusal.shared_since) == ((node("cookie:tablet"),), 12)


def test_a_limit_names_all_the_values_there_would_have_been():
    links = [link("customer_id:A", f"email:{name}", time) for time, name in enumerate("abc")]
    answer = ask(links, "customer_id:A", "email:c")
    refusal = answer.refusals[0].refusal
    assert refusal is not None
    assert refusal.rule == "limit:email"
    assert refusal.values == (node("email:a"), node("email:b"), node("email:c"))


def test_an_assertion_unites_what_an_observation_could_not_and_says_so():
    links = [
        link("customer_id:A", "phone:1", 1),
        link("customer_id:B", "phone:1", 2),
        link("customer_id:B", "phone:1", 8, asserted=True),
    ]
    answer = ask(links, "customer_id:A", "customer_id:B")
    assert answer.same
    assert [(step.proof.event_id, step.proof.asserted) for step in answer.steps] == [
        ("e0", False),
        ("e2", True),
    ]
    assert answer.since == 8


GOLDEN_TABLET = [*TABLET[:2], link("customer_id:A", "customer_id:B", 15, asserted=True)]


@pytest.mark.parametrize("two", [("cookie:tablet", "customer_id:B"), ("customer_id:B", "cookie:tablet")])
def test_a_golden_record_that_comes_after_the_sharing_unites_only_what_was_before_it(two):
    answer = ask(GOLDEN_TABLET, *two)
    assert not answer.same
    assert (answer.since, answer.until, answer.before) == (15, None, 12)
    assert answer.refusals == ()
    assert answer.one.profile_id == answer.other.profile_id


def test_of_one_time_the_sharing_counts_first():
    answer = ask(
        [*TABLET[:2], link("customer_id:A", "customer_id:B", 12, asserted=True)],
        *("cookie:tablet", "customer_id:B"),
    )
    assert (answer.since, answer.until, answer.before) == (12, None, 12)


def test_an_identifier_shared_after_the_golden_record_was_one_persons_until_then():
    answer = ask(
        [*GOLDEN_TABLET[2:], *TABLET[:1], link("cookie:tablet", "customer_id:C", 20)],
        "cookie:tablet",
        "customer_id:B",
    )
    assert (answer.since, answer.until, answer.before) == (15, 20, None)


def test_the_way_with_the_fewest_refusals_is_told():
    links = [
        link("customer_id:A", "cookie:w", 1),
        link("customer_id:B", "cookie:w", 2),
        link("customer_id:A", "cookie:x", 3),
        link("cookie:x", "phone:1", 4),
        link("customer_id:B", "phone:1", 5),
        link("customer_id:B", "email:b", 6),
    ]
    answer = ask(links, "cookie:x", "email:b")
    assert len(answer.refusals) == 1
    assert told(answer.steps)[-1] == "customer_id:B=email:b e5"


def test_strangers_have_no_way_between_them():
    answer = ask([*TABLET, link("email:z", "device:d", 1)], "email:z", "customer_id:A")
    assert (answer.same, answer.steps, answer.one.linked) == (False, (), True)


GOLDEN = [
    link("customer_id:A", "email:a", 1),
    link("customer_id:B", "email:b", 2),
    link("customer_id:A", "customer_id:B", 3, asserted=True),
]


def test_a_golden_record_that_was_withdrawn_is_told_as_withdrawn():
    corrections = Corrections(unlinked={GOLDEN[2][0]: 7})
    answer = explain(TENANT, POLICY, records(GOLDEN), node("email:a"), node("email:b"), None, corrections)
    assert not answer.same
    assert told(answer.refusals) == ["customer_id:A=customer_id:B e2 unlink"]


def test_evidence_after_a_withdrawal_counts_again():
    links = [*GOLDEN, link("customer_id:A", "customer_id:B", 8, asserted=True)]
    corrections = Corrections(unlinked={GOLDEN[2][0]: 7})
    answer = explain(TENANT, POLICY, records(links), node("email:a"), node("email:b"), None, corrections)
    assert (answer.same, answer.since, answer.refusals) == (True, 8, ())


def test_erased_evidence_is_not_told_at_all():
    corrections = Corrections(erased={node("email:a"): 7}, unlinked={GOLDEN[0][0]: 7})
    answer = explain(
        TENANT, POLICY, records(GOLDEN), node("email:a"), node("customer_id:A"), None, corrections
    )
    assert (answer.steps, answer.one.linked) == ((), False)


pairs_of_nodes = st.lists(st.sampled_from(NODES), min_size=2, max_size=2, unique=True)


@given(histories, pairs_of_nodes, st.none() | st.integers(0, 9))
def test_an_explanation_never_contradicts_the_definition(history, two, at):
    one, other = two
    answer = explain(TENANT, POLICY, records(history), one, other, at)
    seen = [event for event in history if at is None or event[1] <= at]
    resolution = resolve(TENANT, POLICY, evidence_map(seen))
    for side in (answer.one, answer.other):
        nobodys = Assignment(own_profile(TENANT, side.node), None, None)
        assert side.owner == resolution.get(side.node, nobodys).owner_at(99)
        assert side.linked == (side.node in resolution)
    for step in answer.steps:
        pair = tuple(sorted(step.proof[:2]))
        rule = resolution.refused.get((step.proof.occurred_at, pair, step.proof.asserted))
        assert rule == (step.refusal.rule if step.refusal else None)
    connected = nx.Graph([pair for pair, _, _ in seen])
    assert bool(answer.steps) == (
        one in connected and other in connected and nx.has_path(connected, one, other)
    )
    ends = [one, *(step.proof.right for step in answer.steps)]
    assert [step.proof.left for step in answer.steps] == ends[:-1]
    assert not answer.steps or ends[-1] == other


@given(histories, pairs_of_nodes)
def test_a_chain_is_complete_at_the_very_event_that_made_the_two_one(history, two):
    one, other = two
    answer = explain(TENANT, POLICY, records(history), one, other)
    united = [_united(history, at, one, other) for at in range(-1, 10)]
    assert (answer.since is not None) == united[-1]
    if answer.since is not None:
        assert answer.refusals == ()
        assert max(step.proof.occurred_at for step in answer.steps) == answer.since
        assert united.index(True) == answer.since + 1


@given(histories, pairs_of_nodes, st.none() | st.integers(0, 9))
def test_nobody_is_one_person_until_an_earlier_time_than_since(history, two, at):
    answer = explain(TENANT, POLICY, records(history), *two, at)
    shared = [side.contested_from for side in (answer.one, answer.other) if side.contested_from is not None]
    if answer.since is None:
        assert (answer.until, answer.before) == (None, None)
    else:
        assert answer.until is None or answer.until > answer.since
        assert answer.before is None or answer.before <= answer.since
        assert [end for end in (answer.until, answer.before) if end is not None] == sorted(shared)[:1]


@given(histories, pairs_of_nodes, st.data())
def test_an_explanation_is_the_same_in_every_order_and_from_both_sides(history, two, data):
    links = records(history)
    answer = explain(TENANT, POLICY, links, *two)
    assert explain(TENANT, POLICY, data.draw(st.permutations(links)), *two) == answer
    back = explain(TENANT, POLICY, links, *reversed(two))
    assert (back.same, back.since, back.until, back.before, len(back.steps), len(back.refusals)) == (
        answer.same,
        answer.since,
        answer.until,
        answer.before,
        len(answer.steps),
        len(answer.refusals),
    )


cuts = st.dictionaries(st.sampled_from(NODES), st.integers(0, 9), max_size=3)


@given(histories, pairs_of_nodes, cuts, st.data())
def test_what_was_cut_decides_nothing(history, two, erased, data):
    unlinked = data.draw(
        st.dictionaries(st.sampled_from([pair for pair, _, _ in history]), st.integers(0, 9), max_size=3)
    )
    corrections = Corrections(erased=erased, unlinked=unlinked)
    answer = explain(TENANT, POLICY, records(history), *two, None, corrections)
    cut_at = {pair: corrections.cut(pair) for pair, _, _ in history}
    left = [event for event in history if cut_at[event[0]] is None or event[1] > cut_at[event[0]]]
    never = explain(TENANT, POLICY, records(left), *two)
    assert (answer.one.owner, answer.other.owner) == (never.one.owner, never.other.owner)
    assert (answer.since, answer.until) == (never.since, never.until)
    if answer.since is not None:
        assert [step.proof[:4] for step in answer.steps] == [step.proof[:4] for step in never.steps]


def _united(history: list[Link], at: int, one: tuple[str, str], other: tuple[str, str]) -> bool:
    resolution = resolve(TENANT, POLICY, evidence_map(event for event in history if event[1] <= at))
    found = resolution.get(one), resolution.get(other)
    return None not in found and found[0].profile_id == found[1].profile_id


@pytest.mark.parametrize("identifier", ["cookie:new", "customer_id:new"])
def test_an_identifier_that_nothing_links_is_its_own_profile(identifier):
    answer = ask(TABLET, identifier, "customer_id:A")
    assert (answer.one.linked, answer.one.owner) == (False, own(identifier))


@pytest.mark.parametrize("asserted", [False, True])
def test_links_that_would_unite_too_many_identifiers_are_refused_with_that_reason(asserted):
    star = [link("phone:hub", f"device:{n}", n, asserted=asserted) for n in range(8)]
    answer = ask(star, "phone:hub", "device:3")
    assert not answer.same
    assert told(answer.refusals) == ["phone:hub=device:3 e3 component_size"]
    assert (answer.one.profile_id, answer.other.profile_id) == (own("phone:hub"), own("device:3"))
    assert ask(star, "phone:hub", "device:3", at=5).same
