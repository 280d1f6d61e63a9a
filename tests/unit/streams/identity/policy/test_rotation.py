"""While a key is replaced, a hidden value has a pseudonym under each key, and nobody is lost or merged."""

from collections import defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import SettingsError
from schemas.records import Identifier
from schemas.touchpoint.rules import MAX_IDENTIFIERS
from streams.identity.policy.load import BUILT_IN, load
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.resolution.components import TenantIdentities
from streams.identity.resolution.definition import own_profile, resolve
from streams.identity.resolution.ownership import node_of

OLD, NEW = (b"o" * 32, "k1"), (b"n" * 32, "k2")
BEFORE = load("", *OLD)
DURING = load("", *NEW, previous=OLD)
AFTER = load("", *NEW)
TENANT = "default"
#: Small enough that everything collides: shared devices, shared addresses, people with several of each.
RAW = [
    *((("customer_id", name)) for name in "AB"),
    *(("email", f"{name}@shop.de") for name in "abc"),
    *(("cookie", name) for name in "xyz"),
]
touchpoints = st.lists(st.sampled_from(RAW), min_size=1, max_size=3, unique=True)


def identifiers(*raw: tuple[str, str]) -> list[Identifier]:
    return [Identifier(type=type_, value=value) for type_, value in raw]


def policy(text: str, previous: tuple[bytes, str] | None) -> IdentityPolicy:
    return IdentityPolicy.parse(text, *NEW, previous=previous)


def resolved(*phases: tuple[IdentityPolicy, list[list[tuple[str, str]]]]) -> TenantIdentities:
    """Identities after touchpoints, each phase prepared by its policy, as stitch links them: strongest to others."""
    identities, time = TenantIdentities(TENANT, DURING), 0
    for prepared_by, seen in phases:
        for raw in seen:
            time += 1
            strongest, *others = map(node_of, prepared_by.usable(identifiers(*raw)))
            for other in others:
                left, right = sorted((strongest, other))
                identities.observe((left, right), time, asserted=False)
    return identities


def people(identities: TenantIdentities, prepared_by: IdentityPolicy) -> set[frozenset[tuple[str, str]]]:
    """The raw identifiers by profile, each value where its newest pseudonym is."""
    found: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
    for raw in RAW:
        node = node_of(prepared_by.usable(identifiers(raw))[-1])
        assigned = identities.assignment(node)
        found[assigned.contested_profile_id or assigned.profile_id].add(raw)
    return set(map(frozenset, found.values()))


def test_outside_a_rotation_a_value_has_one_pseudonym() -> None:
    (only,) = BEFORE.usable(identifiers(("email", "A@shop.de")))
    assert only["value"].startswith("hmac:k1:")
    (only,) = AFTER.usable(identifiers(("email", "a@shop.de")))
    assert only["value"].startswith("hmac:k2:")


def test_within_a_rotation_the_known_pseudonym_comes_first_and_owns_the_touchpoint() -> None:
    both = DURING.usable(identifiers(("email", "a@shop.de"), ("cookie", "x")))
    assert both == [
        *BEFORE.usable(identifiers(("email", "a@shop.de"))), *AFTER.usable(identifiers(("email", "a@shop.de"))),
        Identifier(type="cookie", value="x"),
    ]  # fmt: skip
    assert DURING.usable(both) == both, "preparing twice changes nothing"
    assert AFTER.usable(both) == BEFORE.usable(both) == both, "nor does a process with one key"


def test_a_touchpoint_without_room_for_both_keeps_the_pseudonyms_by_which_people_are_known() -> None:
    many = [("email", f"{number}@shop.de") for number in range(MAX_IDENTIFIERS)]
    found = DURING.usable(identifiers(*many))
    assert found == BEFORE.usable(identifiers(*many))
    assert len(DURING.usable(identifiers(*many[: MAX_IDENTIFIERS // 2]))) == MAX_IDENTIFIERS


def test_both_keys_are_compared_with_those_that_the_deployment_knows() -> None:
    assert DURING.key_checks() == [*AFTER.key_checks(), *BEFORE.key_checks()]
    assert DURING.key_check() == AFTER.key_check()


@given(st.lists(touchpoints, max_size=12), st.lists(touchpoints, max_size=6))
def test_who_is_seen_in_a_rotation_is_afterwards_who_they_were_and_nobody_else(
    history: list[list[tuple[str, str]]], late: list[list[tuple[str, str]]]
) -> None:
    """Each person's touchpoints come once more while both keys are in use; then only the new key is."""
    unrotated = resolved((BEFORE, history), (BEFORE, history), (BEFORE, late))
    rotated = resolved((BEFORE, history), (DURING, history), (AFTER, late))

    joined = people(rotated, AFTER)
    for person in people(unrotated, BEFORE):
        if not _shares(unrotated, BEFORE) and not _shares(rotated, AFTER):
            assert person in joined, "nobody is lost and nobody is merged"
    # customers are strangers to each other, whatever happens
    assert not any({("customer_id", "A"), ("customer_id", "B")} <= person for person in joined)


def _shares(identities: TenantIdentities, prepared_by: IdentityPolicy) -> bool:
    """Whether any identifier has been refused to somebody: what is shared depends on who comes first, under any key."""
    return bool(identities.refused())


@given(st.lists(touchpoints, max_size=8), st.lists(touchpoints, max_size=8))
def test_with_values_under_two_keys_the_incremental_result_is_the_definition(
    history: list[list[tuple[str, str]]], meanwhile: list[list[tuple[str, str]]]
) -> None:
    identities = resolved((BEFORE, history), (DURING, meanwhile), (AFTER, history))
    links = {
        pair: identities.evidence(pair) for node in identities_nodes() for pair in identities.pairs_of(node)
    }
    expected = resolve(TENANT, DURING, {pair: evidence for pair, evidence in links.items() if evidence})
    assert {node: identities.assignment(node) for node in expected} == dict(expected)
    assert identities.refused() == expected.refused


def identities_nodes() -> list[tuple[str, str]]:
    return [node_of(one) for raw in RAW for one in DURING.usable(identifiers(raw))]


def test_who_was_not_seen_in_the_rotation_keeps_the_old_pseudonym_and_joins_when_the_keys_meet_again() -> (
    None
):
    seen = [("email", "a@shop.de"), ("cookie", "x")]
    alone = resolved((BEFORE, [seen]), (AFTER, [[("email", "a@shop.de"), ("cookie", "y")]]))
    assert frozenset({("email", "a@shop.de"), ("cookie", "y")}) in people(alone, AFTER)
    again = resolved(
        (BEFORE, [seen]),
        (AFTER, [[("email", "a@shop.de"), ("cookie", "y")]]),
        (DURING, [[("email", "a@shop.de")]]),
    )
    assert frozenset({("email", "a@shop.de"), ("cookie", "x"), ("cookie", "y")}) in people(again, AFTER)


def test_the_two_pseudonyms_of_a_value_do_not_halve_a_limit() -> None:
    limited, base = "[types.email]\nlimit = 3\n", BUILT_IN.read_text()
    before, during = (
        IdentityPolicy.parse(limited, *OLD, base=base), IdentityPolicy.parse(limited, *NEW, base=base, previous=OLD),
    )  # fmt: skip
    identities = TenantIdentities(TENANT, during)
    for time, by in enumerate((before, during, during)):
        for number in range(4):
            raw = identifiers(("email", f"{number}@shop.de"), ("cookie", "x"))
            strongest, *others = map(node_of, by.usable(raw))
            for other in others:
                left, right = sorted((strongest, other))
                identities.observe((left, right), 10 * time + number, asserted=False)
    owner = identities.assignment(("cookie", "x")).profile_id
    held = [node for node in identities.members(("cookie", "x")) if node[0] == "email"]
    assert len(held) == 6, "three values, each under both keys"
    fourth = node_of(during.usable(identifiers(("email", "3@shop.de")))[-1])
    assert identities.assignment(fourth).profile_id not in (owner, own_profile(TENANT, fourth))
    assert set(identities.refused().values()) == {"limit:email"}


@pytest.mark.parametrize(
    ("key", "previous", "sentence"),
    [
        (NEW, (b"o" * 32, "k2"), "must come behind 'k2'"),
        (NEW, (b"o" * 32, "k3"), "must come behind 'k3'"),
        (NEW, (b"n" * 32, "k1"), "must be another key"),
        ((b"", "k2"), OLD, "must be another key"),
        (NEW, (b"o" * 32, "no id"), "TOUCHLINE_PREVIOUS_PSEUDONYM_KEY_ID may hold"),
    ],
)
def test_keys_that_cannot_stand_side_by_side_are_refused(
    key: tuple[bytes, str], previous: tuple[bytes, str], sentence: str
) -> None:
    with pytest.raises(SettingsError, match=sentence):
        IdentityPolicy.parse("[types.cookie]\npriority = 1\n", *key, previous=previous)


def test_a_hidden_type_of_which_a_profile_holds_one_is_not_rotated() -> None:
    unique = "[types.email]\nunique = true\npseudonymise = true\n"
    with pytest.raises(SettingsError, match="type email is unique and pseudonymised"):
        policy(unique, OLD)
    with pytest.raises(SettingsError, match="type email is unique and pseudonymised"):
        policy("[tenants.bank.types.email]\nunique = true\npseudonymise = true\n", OLD)
    policy(unique, None)
