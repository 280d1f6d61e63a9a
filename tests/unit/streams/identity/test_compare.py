"""What a new policy would change, told by the touchpoints: merges, splits, new names."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.catalogue import Catalogue
from schemas.errors import ContractError
from schemas.records import Touchpoint
from streams.identity.compare import Outcome, compare
from streams.identity.policy.policy import IdentityPolicy
from streams.journeys.rules.rules import JourneyRules
from streams.replay import Replay
from tests.support.identity_people import RULES, policy
from tests.support.touchpoints import touchpoint

STRICT = policy()
LOOSE = policy("")


def outcome(events: list[Touchpoint], rules: IdentityPolicy) -> Outcome:
    replay = Replay(rules, Catalogue.load(""), JourneyRules.load(""))
    for event in events:
        try:
            replay.add(event)
        except ContractError:
            continue
    owners = {(o.touchpoint["tenant"], o.touchpoint["event_id"]): o.profile_id for o in replay.owned()}
    return Outcome(owners, {tenant: replay.resolution(tenant) for tenant, _ in owners})


def event(number: int, *ids: str, tenant: str = "default") -> Touchpoint:
    pairs = [(text.split(":")[0], text.split(":")[1]) for text in ids]
    return touchpoint(f"e{number}", minute=number, ids=pairs, tenant=tenant)


TABLET = [
    event(1, "cookie:tablet"),
    event(2, "cookie:tablet", "customer_id:A"),
    event(3, "cookie:tablet", "customer_id:B"),
    event(4, "cookie:tablet"),
]


def test_without_a_unique_type_a_family_tablet_would_make_one_profile_of_three():
    found = compare(outcome(TABLET, STRICT), outcome(TABLET, LOOSE))
    (merge,) = found.merges
    assert sorted(merge.parts.values()) == [1, 1, 2]
    assert merge.rules == ("unique:customer_id",)
    assert merge.touchpoints == 4
    assert (found.splits, found.lost, found.gained) == ([], 0, 0)


def test_the_other_way_round_it_would_split():
    found = compare(outcome(TABLET, LOOSE), outcome(TABLET, STRICT))
    (split,) = found.splits
    assert (sorted(split.parts.values()), split.rules) == ([1, 1, 2], ("unique:customer_id",))
    assert found.merges == []


def test_a_normaliser_that_gives_two_spellings_one_merges_without_a_refused_link():
    spelt = policy(RULES + "[types.badge]\nnormaliser = 'lower'\npriority = 5")
    events = [event(1, "badge:X"), event(2, "badge:x")]
    (merge,) = compare(outcome(events, STRICT), outcome(events, spelt)).merges
    assert (len(merge.parts), merge.rules) == (2, ())


def test_a_value_that_becomes_blocked_costs_touchpoints_their_owner():
    blocking = policy(RULES + "[blocked]\nvalues = ['till']")
    events = [event(1, "cookie:till"), event(2, "cookie:c")]
    before, after = outcome(events, STRICT), outcome(events, blocking)
    assert (compare(before, after).lost, compare(before, after).gained) == (1, 0)
    assert compare(after, before).gained == 1


def test_a_profile_with_the_same_touchpoints_and_another_id_is_renamed():
    ranked = policy(RULES.replace("[types.cookie]\npriority = 70", "[types.cookie]\npriority = 5"))
    events = [event(1, "cookie:c", "customer_id:A")]
    found = compare(outcome(events, STRICT), outcome(events, ranked))
    assert (found.renamed, found.merges, found.splits) == (1, [], [])


def test_tenants_are_compared_apart():
    events = [*TABLET, *(event(number, "cookie:tablet", tenant="bank") for number in (1, 2))]
    found = compare(outcome(events, STRICT), outcome(events, LOOSE))
    assert [change.tenant for change in found.merges] == ["default"]


keys = st.tuples(st.sampled_from(["shop", "bank"]), st.integers(0, 9).map(str))
owned = st.dictionaries(keys, st.sampled_from("PQRS"))


@given(owned, owned)
def test_swapping_the_policies_swaps_merges_and_splits(one, other):
    there, back = compare(Outcome(one, {}), Outcome(other, {})), compare(Outcome(other, {}), Outcome(one, {}))
    assert (there.merges, there.splits, there.lost, there.gained) == (
        back.splits,
        back.merges,
        back.gained,
        back.lost,
    )
    assert there.renamed == back.renamed


@given(owned)
def test_a_policy_compared_with_itself_changes_nothing(owners):
    same = Outcome(owners, {})
    found = compare(same, same)
    assert (found.merges, found.splits, found.renamed, found.lost, found.gained) == ([], [], 0, 0, 0)
