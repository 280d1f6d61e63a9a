"""Attempts to pass as another tenant, another identifier or another deployment, each with what it gets."""

import json
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.errors import ContractError, Reason, SettingsError
from schemas.keys import NAME_PATTERN, account_key, identifier_key, profile_key, tenant_key
from schemas.records import Identifier
from schemas.settings import Settings
from schemas.touchpoint.intake import read_touchpoint
from schemas.touchpoint.rules import check
from streams.identity.policy.prepare import prepare
from streams.replay import Replay
from tests.support.built_in import CATALOGUE, POLICY, RULES
from tests.support.touchpoints import START, touchpoint

#: What a tenant is called → the trick.
REFUSED = {
    "../acme": "a path", "acme/..": "a path", "acme/": "a key's separator", "/acme": "a key's separator",
    "acme/cookie:a": "another tenant's key", "acme:": "a separator", "acme\x1f": "a separator", "acme\x00": "an end",
    "acme\n": "a line", " acme": "a space", "acme ": "a space", "a" * 65: "too long",
    "acme' OR '1'='1": "SQL", "acme;--": "SQL", "acme`": "SQL", "acme%": "a pattern", "acme*": "a pattern",
    "\u0430cme": "a Cyrillic twin", "\uff41cme": "a full-width twin", "acme\u200b": "an invisible character",
    "acme\u202e": "a direction", "acm\u00e9": "an accent", "acme\ud800": "half a pair",
}  # fmt: skip
#: Names that may be given, and are taken for one another by whoever compares without care.
ALIKE = (
    "acme",
    "Acme",
    "ACME",
    "acme.",
    ".acme",
    "acme.eu",
    "acme-eu",
    "acme_eu",
    "a",
    "ac",
    "..",
    ".",
    "default",
    "0",
    "00",
)
WHO = [("cookie", "ck"), ("email", "ann@example.org"), ("customer_id", "7")]


@pytest.mark.parametrize("name", REFUSED, ids=lambda name: f"{REFUSED[name]}: {name!r:.30}")
def test_a_tenant_of_such_a_name_is_refused_at_every_edge(name: str) -> None:
    value = {
        "event_id": "e", "tenant": name, "occurred_at": START, "source": "s", "channel": "web", "type": "x",
        "identifiers": [{"type": "cookie", "value": "a"}],
    }  # fmt: skip
    with pytest.raises(ContractError) as refused:
        read_touchpoint(json.dumps(value), START)
    assert refused.value.reason in (Reason.INVALID, Reason.UNDECODABLE, Reason.TOO_LARGE)
    with pytest.raises(ContractError):
        check(touchpoint(tenant=name))


def test_without_a_name_it_is_the_default_tenant_in_json_and_nobody_on_the_topic() -> None:
    value = {
        "event_id": "e", "tenant": "", "occurred_at": START, "source": "s", "channel": "web", "type": "x",
        "identifiers": [{"type": "cookie", "value": "a"}],
    }  # fmt: skip
    assert read_touchpoint(json.dumps(value), START)["tenant"] == "default"
    with pytest.raises(ContractError):
        check(touchpoint(tenant=""))


def test_tenants_with_names_alike_share_no_person_whatever_they_send() -> None:
    replay = Replay(POLICY, CATALOGUE, RULES)
    for number, tenant in enumerate(ALIKE):
        replay.add(touchpoint(f"e{number}", tenant=tenant, ids=WHO, account_id="A"))
        replay.add(touchpoint("same", tenant=tenant, ids=WHO[:1]))
    states = list(replay.states())
    assert sorted(state["tenant"] for state in states) == sorted(ALIKE)
    assert len({state["profile_id"] for state in states}) == len(ALIKE)
    assert sorted(account["tenant"] for account in replay.accounts()) == sorted(ALIKE)
    assert {account["members"] for account in replay.accounts()} == {1}


NAMES = st.from_regex(NAME_PATTERN, fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12) | st.sampled_from(
    ["a/b", "x:y", "/", ":", "acme/cookie:a", "../x", "\x1f"]
)
TRIPLES = st.tuples(NAMES | st.sampled_from(ALIKE), NAMES | st.just("cookie"), VALUES)


@settings(max_examples=200, deadline=None)
@given(TRIPLES, TRIPLES)
def test_one_key_is_one_tenant_type_and_value(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    def keys(tenant: str, kind: str, value: str) -> tuple[bytes, ...]:
        return identifier_key(tenant, Identifier(type=kind, value=value)), account_key(tenant, value)

    (first, account), (second, other_account) = keys(*one), keys(*other)
    assert (first == second) == (one == other)
    assert (account == other_account) == ((one[0], one[2]) == (other[0], other[2]))
    assert len({tenant_key(one[0]), profile_key(one[0], one[2]), first}) == 3


@pytest.mark.parametrize(
    ("written", "other", "same"),
    [
        (("email", "Ann@Example.org"), ("email", "ann@example.org"), True),
        (("email", "ann@example.org"), ("email", "\u0430nn@example.org"), False),  # Cyrillic
        (("email", "ann@example.org"), ("email", "ann@examp\u217ce.org"), True),  # a domain that IDNA maps
        (("email", "ann+a@example.org"), ("email", "ann@example.org"), False),
        (("customer_id", "7"), ("customer_id", "07"), False),
        (("customer_id", "A"), ("customer_id", "\u0410"), False),
        (("customer_id", "a:b"), ("customer_id", "a/b"), False),
        (("cookie", "Ab"), ("cookie", "ab"), False),
        (("cookie", "a\x1fb"), ("cookie", "ab"), False),
        (("cookie", "ab\u200b"), ("cookie", "ab"), True),
    ],
)
def test_what_is_one_identifier_after_normalising(
    written: tuple[str, str], other: tuple[str, str], same: bool
) -> None:
    def key(identifier: tuple[str, str]) -> bytes:
        _, prepared = prepare(touchpoint(ids=[identifier]), POLICY, CATALOGUE)
        return identifier_key("default", prepared["identifiers"][0])

    assert (key(written) == key(other)) == same


def test_no_prefix_makes_one_deployments_topic_anothers() -> None:
    names = [*(topic.name for topic in topics.ALL), topics.WORKER_GROUP, topics.LOADER_GROUP]
    prefixes = ("", "a", "a.", "a-", "ab.", "a_", "touchline-", "touchline.", "journey-", "account-")
    taken: dict[str, str] = {}
    for prefix, name in product(prefixes, names):
        full = Settings(topic_prefix=prefix).topic(name)
        assert taken.setdefault(full, prefix) == prefix, f"{full} is of {taken[full]!r} and of {prefix!r}"


@pytest.mark.parametrize("prefix", ["a.b.", "..", "a/", "*", "a ", "a\n", "\u0430.", "a" * 41, "../"])
def test_a_prefix_that_could_be_a_pattern_or_a_part_of_another_is_refused(prefix: str) -> None:
    with pytest.raises(SettingsError, match="TOUCHLINE_TOPIC_PREFIX"):
        Settings.from_env({"TOUCHLINE_TOPIC_PREFIX": prefix})


def test_names_alike_differ_in_every_key() -> None:
    for one, other in combinations(ALIKE, 2):
        assert identifier_key(one, Identifier(type="cookie", value="a")) != identifier_key(
            other, Identifier(type="cookie", value="a")
        )
