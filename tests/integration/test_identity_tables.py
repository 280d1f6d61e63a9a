"""Who is who in ClickHouse: now, at an instant, by way of the dictionary, and why."""

from datetime import UTC, datetime
from random import Random

import pytest

from schemas import topics
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT, IDENTITY_LINK
from schemas.records import IdentityLink
from sinks.clickhouse.read.evidence import evidence_around, owners
from streams.identity.explain import explain
from streams.identity.policy.prepare import prepare
from streams.identity.resolution.definition import resolve
from streams.identity.resolution.evidence import evidence_of, join
from streams.identity.resolution.links import links_of
from streams.identity.resolution.ownership import node_of
from tests.integration.store import Store
from tests.support.built_in import CATALOGUE, POLICY
from tests.support.ids import person
from tests.support.kafka_records import assignment, resolved_bytes
from tests.support.touchpoints import START, touchpoint

pytestmark = pytest.mark.sandbox

MINUTE = 60_000


def assigned(store: Store, value: str, profile: str, version: int, minute: int, **fields: object) -> None:
    record = IDENTITY_ASSIGNMENT.encode(assignment(value, profile, version, **fields))
    store.load(topics.IDENTITY_ASSIGNMENTS, record, timestamp=START + minute * MINUTE)


def at(store: Store, minute: int) -> list[tuple[object, ...]]:
    instant = datetime.fromtimestamp(START / 1000 + minute * 60, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return store.query(
        f"SELECT identifier_value, profile_id FROM identity_at(at = '{instant}') ORDER BY identifier_value"
    )


def test_who_was_who_is_known_for_every_instant(store: Store) -> None:
    assigned(store, "a", "p1", 1, minute=1)
    assigned(store, "b", "p1", 2, minute=2)
    assigned(store, "a", "p2", 5, minute=5)
    store.load(
        topics.IDENTITY_ASSIGNMENTS, None, key=b"default/cookie:b", headers=(("version", b"7"),),
        timestamp=START + 7 * MINUTE,
    )  # fmt: skip

    assert at(store, 0) == []
    assert at(store, 1) == [("a", person("p1"))]
    assert at(store, 4) == [("a", person("p1")), ("b", person("p1"))]
    assert at(store, 6) == [("a", person("p2")), ("b", person("p1"))]
    assert at(store, 8) == [("a", person("p2"))]
    assert store.query("SELECT count() FROM raw_identity_assignment_history") == [(4,)]
    assert store.query("SELECT identifier_value, profile_id FROM identity_current") == [("a", person("p2"))]


def test_a_decision_published_again_after_a_crash_counts_from_its_first_publication(store: Store) -> None:
    assigned(store, "a", "p1", 1, minute=1)
    assigned(store, "a", "p1", 1, minute=9)

    store.query("OPTIMIZE TABLE raw_identity_assignment_history FINAL")

    assert at(store, 2) == [("a", person("p1"))]


def test_the_dictionary_gives_every_touchpoint_the_owner_that_its_row_carries(store: Store) -> None:
    random = Random(7)
    events = [
        resolved_bytes(f"e{n}", ids=[("cookie", f"c{random.randrange(40)}")], profile=f"p{n}", minute=n)
        for n in range(300)
    ]
    owners_of = [
        IDENTITY_ASSIGNMENT.encode(assignment(f"c{random.randrange(40)}", f"p{random.randrange(9)}", version))
        for version in range(50)
    ]
    store.load(topics.JOURNEY_INPUTS, *events)
    store.load(topics.IDENTITY_ASSIGNMENTS, *owners_of)
    store.query("SYSTEM RELOAD DICTIONARY identity_owners")

    differing = store.query(
        "SELECT event_id, profile_id FROM touchpoints_current AS t"
        " WHERE dictGet('identity_owners', 'profile_id', (tenant, identifier_type, identifier_value)) != profile_id"
    )

    assert differing == []
    assert store.query("SELECT uniqExact(profile_id) < 200 FROM touchpoints_current") == [(1,)]


TABLET = [
    touchpoint("v1", minute=0, ids=[("cookie", "tablet")]),
    touchpoint("l1", minute=10, ids=[("cookie", "tablet"), ("customer_id", "A"), ("device_id", "d")]),
    touchpoint("l1-again", minute=11, ids=[("cookie", "tablet"), ("customer_id", "A")]),
    touchpoint("l2", minute=20, ids=[("cookie", "tablet"), ("customer_id", "B")]),
    touchpoint("b", minute=30, ids=[("cookie", "tablet"), ("loyalty_id", "L")], source="till"),
    touchpoint("z", minute=1, ids=[("cookie", "z"), ("loyalty_id", "Z")]),
]


def stored_tablet(store: Store) -> list[IdentityLink]:
    """What stitch and identity publish of the touchpoints."""
    links: list[IdentityLink] = []
    for event in TABLET:
        _, prepared = prepare(event, POLICY, CATALOGUE)
        links += links_of(prepared, prepared["identifiers"])
    store.load(topics.IDENTITY_LINKS, *[IDENTITY_LINK.encode(link) for link in links])
    evidence: dict = {}
    for link in links:
        pair = node_of(link["left"]), node_of(link["right"])
        evidence[pair] = join(evidence.get(pair), evidence_of(link["occurred_at"], asserted=False))
    for version, (node, one) in enumerate(resolve("default", POLICY, evidence).items()):
        record = assignment(
            node[1], one.profile_id, version, identifier={"type": node[0], "value": node[1]},
            contested_from=one.contested_from, contested_profile_id=one.contested_profile_id,
        )  # fmt: skip
        store.load(topics.IDENTITY_ASSIGNMENTS, IDENTITY_ASSIGNMENT.encode(record))
    return links


def test_the_evidence_says_what_each_link_does_and_by_which_event(store: Store) -> None:
    stored_tablet(store)

    found = store.query(
        "SELECT left_value, right_value, event_id, source, outcome, types_of_both"
        " FROM identity_evidence ORDER BY occurred_at, right_value"
    )

    assert found == [
        ("z", "Z", "z", "test", "united", []),
        ("tablet", "A", "l1", "test", "united", []),
        ("A", "d", "l1", "test", "united", []),
        ("tablet", "B", "l2", "test", "refused", ["customer_id"]),
        ("tablet", "L", "b", "till", "contested", []),
    ]


def test_the_evidence_between_two_identifiers_is_that_of_their_profiles(store: Store) -> None:
    stored_tablet(store)

    found = store.query(
        "SELECT event_id, outcome FROM"
        " identity_evidence_between(tenant = 'default', one = 'device_id:d', other = 'customer_id:B')"
    )

    assert sorted(found) == [("l1", "united"), ("l1", "united"), ("l2", "refused")]


def test_an_explanation_from_clickhouse_is_the_one_from_the_events(store: Store) -> None:
    links = stored_tablet(store)
    one, other = ("device_id", "d"), ("loyalty_id", "L")

    around, _ = evidence_around(store.where, "default", [one, other])

    assert explain("default", POLICY, around, one, other) == explain("default", POLICY, links, one, other)
    assert {link["event_id"] for link in around} == {"l1", "l1-again", "l2", "b"}
    assert owners(store.where, "default", [one, ("cookie", "nobody")]).keys() == {one}
    assert evidence_around(store.where, "bank", [one]) == ([], [])


def test_evidence_is_found_over_any_number_of_steps(store: Store) -> None:
    chain = [touchpoint(f"e{n}", ids=[("device_id", f"{n}"), ("device_id", f"{n + 1}")]) for n in range(30)]
    for event in chain:
        store.load(
            topics.IDENTITY_LINKS,
            *[IDENTITY_LINK.encode(one) for one in links_of(event, event["identifiers"])],
        )

    links, _ = evidence_around(store.where, "default", [("device_id", "0")])

    assert len(links) == 30
