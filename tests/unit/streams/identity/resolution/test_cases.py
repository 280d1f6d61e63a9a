"""What people live through, told as links: the cases that identity resolution must get right."""

from itertools import permutations

import pytest

from streams.identity.outputs import Cause, changes_of
from streams.identity.policy.load import load
from streams.identity.policy.prepare import prepare
from streams.identity.resolution.definition import contested_profile, resolve
from streams.identity.resolution.links import links_of
from tests.support.built_in import CATALOGUE
from tests.support.identity_people import (
    TENANT,
    assignments,
    evidence_map,
    groups,
    link,
    node,
    observed,
    own,
    owner,
    policy,
)
from tests.support.touchpoints import touchpoint

NOON = 12


def test_a_log_in_keeps_the_profile_id_of_the_anonymous_visits():
    identities = observed([])
    decision = identities.observe(*link("cookie:c", "customer_id:A", 3))
    assert owner(identities, "cookie:c", 1) == owner(identities, "customer_id:A", 3) == own("cookie:c")
    assert decision.merged == [(own("cookie:c"), [own("customer_id:A")], "link")]
    assert [(one, before, after.profile_id) for one, before, after in decision.changed] == [
        (node("cookie:c"), None, own("cookie:c")),
        (node("customer_id:A"), None, own("cookie:c")),
    ]


def test_a_log_in_on_a_second_device_makes_two_profiles_one():
    identities = observed([link("cookie:phone", "email:a", 1), link("cookie:laptop", "customer_id:A", 2)])
    assert owner(identities, "email:a", 9) != owner(identities, "customer_id:A", 9)
    decision = identities.observe(*link("customer_id:A", "email:a", 5))
    assert decision.merged == [(own("cookie:phone"), [own("cookie:laptop")], "link")]
    assert decision.split == []
    assert [one for one, _, _ in decision.changed] == [node("cookie:laptop"), node("customer_id:A")]
    assert identities.members(node("email:a")) == sorted(
        map(node, ["cookie:laptop", "cookie:phone", "customer_id:A", "email:a"])
    )


def test_a_family_tablet_gives_nobody_elses_history_to_anybody():
    identities = observed([link("cookie:tablet", "customer_id:A", 10)])
    decision = identities.observe(*link("cookie:tablet", "customer_id:B", NOON))
    alices, nobodys = own("cookie:tablet"), contested_profile(TENANT, node("cookie:tablet"))
    assert owner(identities, "cookie:tablet", NOON - 1) == owner(identities, "customer_id:A", 99) == alices
    assert owner(identities, "cookie:tablet", NOON) == owner(identities, "cookie:tablet", 99) == nobodys
    assert (
        owner(identities, "customer_id:B", 1)
        == owner(identities, "customer_id:B", 99)
        == own("customer_id:B")
    )
    assert decision.merged == []
    assert decision.split == [(alices, [nobodys], "contested:cookie")]
    assert identities.refused() == {
        (NOON, link("cookie:tablet", "customer_id:B", 0)[0], False): "unique:customer_id"
    }


def test_a_shared_tablet_links_nothing_any_more_unless_asserted():
    shared = [link("cookie:tablet", "customer_id:A", 10), link("cookie:tablet", "customer_id:B", NOON)]
    identities = observed([*shared, link("cookie:tablet", "email:c", 13)])
    assert owner(identities, "email:c", 13) == own("email:c")
    assert "contested" in identities.refused().values()
    identities.observe(*link("cookie:tablet", "email:c", 14, asserted=True))
    assert owner(identities, "email:c", 13) == own("cookie:tablet")
    assert identities.assignment(node("cookie:tablet")).contested_from == NOON


def test_the_family_tablet_ends_the_same_in_every_order():
    links = [
        link("cookie:tablet", "customer_id:A", 10),
        link("cookie:tablet", "customer_id:B", NOON),
        link("cookie:tablet", "email:c", 13),
        link("customer_id:B", "email:b", 14),
    ]
    nodes = {one for pair, _, _ in links for one in pair}
    ends = [assignments(observed(order), nodes) for order in permutations(links)]
    assert all(end == ends[0] for end in ends)


def test_earlier_evidence_that_a_device_is_shared_moves_the_cut_back():
    identities = observed(
        [link("cookie:tablet", "customer_id:A", 10), link("cookie:tablet", "customer_id:B", 20)]
    )
    decision = identities.observe(*link("cookie:tablet", "customer_id:C", 15))
    assert identities.assignment(node("cookie:tablet")).contested_from == 15
    assert [one for one, _, _ in decision.changed] == [node("cookie:tablet"), node("customer_id:C")]
    assert (decision.merged, decision.split) == ([], [])


def test_two_shared_identifiers_of_the_same_priority_are_both_contested():
    identities = observed(
        [
            link("cookie:x", "customer_id:A", 1),
            link("device:d", "customer_id:B", 2),
            link("cookie:x", "device:d", 3),
        ]
    )
    assert identities.assignment(node("cookie:x")).contested_from == 3
    assert identities.assignment(node("device:d")).contested_from == 3


def test_a_customer_id_is_never_contested():
    identities = observed([link("customer_id:A", "customer_id:B", 1)])
    assert owner(identities, "customer_id:A", 5) == own("customer_id:A")
    assert owner(identities, "customer_id:B", 5) == own("customer_id:B")
    assert identities.assignment(node("customer_id:B")).contested_from is None


def test_chains_join_to_one_profile_in_every_order():
    links = [
        link("device:a", "device:b", 1),
        link("device:c", "device:d", 2),
        link("device:b", "device:c", 3),
    ]
    for order in permutations(links):
        identities = observed(order)
        assert {owner(identities, f"device:{name}", 9) for name in "abcd"} == {own("device:a")}


def test_a_log_in_that_arrives_before_the_visits_that_precede_it():
    identities = observed([link("customer_id:A", "email:a", 10)])
    assert owner(identities, "customer_id:A", 10) == own("email:a")
    decision = identities.observe(*link("cookie:c", "customer_id:A", 3))
    assert owner(identities, "email:a", 10) == own("cookie:c")
    assert decision.merged == [(own("cookie:c"), [own("email:a")], "link")]


def test_late_evidence_can_part_what_later_links_had_joined():
    identities = observed([link("cookie:x", "customer_id:A", 10), link("cookie:x", "email:a", 11)])
    decision = identities.observe(*link("cookie:x", "customer_id:B", 5))
    assert owner(identities, "cookie:x", 9) == owner(identities, "customer_id:B", 9) == own("cookie:x")
    assert owner(identities, "customer_id:A", 9) == own("customer_id:A")
    assert owner(identities, "email:a", 9) == own("email:a")
    assert (own("cookie:x"), sorted([own("customer_id:A"), own("email:a")]), "order") in decision.split


def test_a_crm_asserts_that_two_customer_ids_are_one():
    identities = observed([link("customer_id:A", "email:a", 1), link("customer_id:B", "email:b", 2)])
    decision = identities.observe(*link("customer_id:A", "customer_id:B", 3, asserted=True))
    assert owner(identities, "email:b", 9) == own("email:a")
    assert decision.merged == [(own("email:a"), [own("email:b")], "asserted")]


def test_a_golden_record_is_withdrawn_again():
    links = [link("customer_id:A", "email:a", 1), link("customer_id:B", "email:b", 2)]
    golden = link("customer_id:A", "customer_id:B", 3, asserted=True)
    identities = observed([*links, golden])
    decision = identities.withdraw([golden[0]], "unlink")
    assert owner(identities, "email:b", 9) == own("email:b")
    assert decision.split == [(own("email:a"), [own("email:b")], "unlink")]
    assert decision.merged == []


def test_an_assertion_at_the_very_time_of_a_refused_observation_replaces_it():
    links = [link("phone:1", "customer_id:A", 1), link("phone:1", "customer_id:B", 10)]
    identities = observed([*links, link("phone:1", "customer_id:B", 10, asserted=True)])
    assert identities.refused() == {}
    assert identities.assignment(node("phone:1")).contested_from is None


def test_the_call_centres_own_number_on_ten_thousand_calls_makes_no_giant_profile():
    calls = [link("phone:call-centre", f"customer_id:{number}", number) for number in range(10_000)]
    late_calls = calls[1::2] + calls[0::2]
    for order in (calls, late_calls):
        identities = observed(order)
        assert identities.members(node("phone:call-centre")) == [
            node("customer_id:0"),
            node("phone:call-centre"),
        ]
        assert identities.assignment(node("phone:call-centre")).contested_from == 1
        assert owner(identities, "customer_id:7", 99) == own("customer_id:7")


def test_placeholders_on_a_thousand_visits_join_nobody():
    rules = load("", b"k" * 32, "k1")
    links = []
    for number in range(1000):
        ids = [
            ("cookie", f"c{number}"),
            ("email", "Anonymous@shop.de"),
            ("user_id", "0"),
            ("phone", "0000000"),
        ]
        _, prepared = prepare(touchpoint(f"e{number}", ids=ids), rules, CATALOGUE)
        links += links_of(prepared, prepared["identifiers"])
        assert prepared["identifiers"] == [{"type": "cookie", "value": f"c{number}"}]
    assert links == []


def test_the_merge_of_two_devices_is_published_once_and_names_survivor_loser_rule_and_event():
    identities = observed([link("cookie:phone", "email:a", 1), link("cookie:laptop", "customer_id:A", 2)])
    decision = identities.observe(*link("customer_id:A", "email:a", 5))
    (change,) = changes_of(decision, Cause(TENANT, 77, "the-log-in", 5))
    assert (change["kind"], change["profile_id"], change["others"]) == (
        "MERGED",
        own("cookie:phone"),
        [own("cookie:laptop")],
    )
    assert (change["rule"], change["event_id"], change["occurred_at"]) == ("link", "the-log-in", 5)


def test_a_limit_holds_even_against_an_assertion():
    identities = observed(
        [link("customer_id:A", f"email:{name}", time) for time, name in enumerate("ab")]
        + [link("customer_id:A", "email:c", 9, asserted=True)]
    )
    assert owner(identities, "email:c", 10) == own("email:c")
    assert list(identities.refused().values()) == ["limit:email"]


def test_the_same_email_in_two_tenants_is_two_people():
    here = observed([link("email:a", "cookie:x", 1)])
    there = observed([link("email:a", "cookie:x", 1)], tenant="bank")
    assert owner(here, "email:a", 1) != owner(there, "email:a", 1)


def test_a_link_known_already_is_no_decision_and_a_later_one_neither():
    identities = observed([link("cookie:c", "email:a", 5)])
    assert identities.observe(*link("cookie:c", "email:a", 5)) is None
    assert identities.observe(*link("cookie:c", "email:a", 6)) is None
    assert identities.observe(*link("cookie:c", "email:a", 4)).changed == []


def test_an_observation_after_an_assertion_is_kept_though_it_changes_nothing():
    identities = observed([link("cookie:c", "email:a", 5, asserted=True)])
    decision = identities.observe(*link("cookie:c", "email:a", 8))
    assert (decision.changed, decision.merged, decision.split) == ([], [], [])
    assert identities.evidence(link("cookie:c", "email:a", 0)[0]) == (8, 5)


def test_an_identifier_nobody_has_linked_is_its_own_profile():
    identities = observed([])
    assert owner(identities, "cookie:new", 1) == own("cookie:new")
    assert identities.members(node("cookie:new")) == [node("cookie:new")]


def test_profile_ids_never_change_between_releases():
    assert own("cookie:c") == "81d32db5-6590-5675-b9aa-bc53bee6dca5"
    assert contested_profile(TENANT, node("cookie:c")) == "1c62dba5-3fc4-5452-acac-384a5885a56c"


@pytest.mark.parametrize("identifier", ["cookie:tablet", "email:shared@x.de"])
def test_a_resolution_lists_members_and_the_contested_profile(identifier):
    rules = load("", b"k" * 32, "k1")
    links = evidence_map([link(identifier, "customer_id:A", 1), link(identifier, "customer_id:B", 2)])
    resolution = resolve(TENANT, rules, links)
    assert resolution.profiles == {
        own(identifier): sorted([node(identifier), node("customer_id:A")]),
        own("customer_id:B"): [node("customer_id:B")],
        contested_profile(TENANT, node(identifier)): [node(identifier)],
    }


def test_without_rules_everything_that_is_linked_is_one():
    identities = observed(
        [link("customer_id:A", "cookie:c", 1), link("customer_id:B", "cookie:c", 2)], policy("")
    )
    nodes = [node("customer_id:A"), node("customer_id:B"), node("cookie:c")]
    assert groups(assignments(identities, nodes)) == {frozenset(nodes)}
