"""The laws of identity, sampled on the live pipeline: random histories, each a tenant of one deployment.

Log-ins, shared devices and asserted links, at times that collide, arrive shuffled and some of them twice, over two
workers; what ClickHouse and the compacted topic say in the end is what the definition says.
"""

from collections.abc import Iterator
from random import Random

import pytest
from kafka import KafkaConsumer

from schemas.encoding.record_types import IDENTITY_ASSIGNMENT
from schemas.records import Touchpoint
from schemas.topics import IDENTITY_ASSIGNMENTS
from streams.identity.policy.load import load
from streams.identity.policy.prepare import prepare
from streams.identity.resolution.definition import resolve
from streams.identity.resolution.evidence import Node, evidence_of, join
from streams.identity.resolution.links import links_of
from streams.identity.resolution.ownership import node_of, pair_of
from streams.identity.resolution.profile_id import Assignment
from tests.integration.parts import Deployment, deployment
from tests.integration.test_pipeline import assert_live_equals, replayed, send
from tests.support.built_in import CATALOGUE
from tests.support.touchpoints import START, touchpoint

pytestmark = pytest.mark.sandbox

TENANTS = 8
IDENTIFIERS = [
    *(("customer_id", name) for name in "ABC"),
    *(("email", f"{name}@example.org") for name in "abc"),
    ("phone", "+49301234567"),
    *(("cookie", name) for name in "vwxyz"),
]

Owners = dict[tuple[str, Node], Assignment]


def history(tenant: str, seed: int) -> Iterator[Touchpoint]:
    """In a world so small that everything collides."""
    random = Random(seed)
    for number in range(random.randrange(15, 50)):
        ids = random.sample(IDENTIFIERS, random.choice([1, 2, 2, 2, 3]))
        link = random.choice(["OBSERVED"] * 7 + ["ASSERTED"])
        event = touchpoint(
            f"{seed}-{number}", minute=random.randrange(20), ids=ids, tenant=tenant, link=link,
            type=random.choice(["product_view", "login", "support_call"]),
        )  # fmt: skip
        yield from [event] * random.choice([1, 1, 2])


def defined(events: list[Touchpoint], live: Deployment) -> Owners:
    """Whose every linked identifier is, by the definition."""
    policy = load("", live.settings.pseudonym_secret(), live.settings.pseudonym_key_id)
    owners: Owners = {}
    for tenant in {event["tenant"] for event in events}:
        known = {}
        for event in events:
            if event["tenant"] == tenant:
                _, prepared = prepare(event, policy, CATALOGUE)
                for link in links_of(prepared, prepared["identifiers"]):
                    evidence = evidence_of(link["occurred_at"], asserted=link["kind"] == "ASSERTED")
                    known[pair_of(link)] = join(known.get(pair_of(link)), evidence)
        owners |= {(tenant, node): one for node, one in resolve(tenant, policy, known).items()}
    return owners


def in_clickhouse(live: Deployment) -> Owners:
    found = live.query(
        "SELECT tenant, identifier_type, identifier_value, profile_id, toUnixTimestamp64Milli(contested_from),"
        " contested_profile_id FROM identity_current"
    )
    return {
        (tenant, (type_, value)): Assignment(profile, since, contested or None)
        for tenant, type_, value, profile, since, contested in found
    }


def on_the_topic(live: Deployment) -> Owners:
    """The last record of each key: what compaction leaves."""
    consumer = KafkaConsumer(
        live.settings.topic(IDENTITY_ASSIGNMENTS.name), bootstrap_servers=live.settings.brokers,
        auto_offset_reset="earliest", enable_auto_commit=False, consumer_timeout_ms=3_000,
    )  # fmt: skip
    owners: Owners = {}
    for record in consumer:
        told = IDENTITY_ASSIGNMENT.decode(record.value)
        owners[told["tenant"], node_of(told["identifier"])] = Assignment(
            told["profile_id"], told["contested_from"], told["contested_profile_id"]
        )
    consumer.close()
    return owners


@pytest.mark.soak
def test_random_histories_end_as_the_definition_says(tansu, clickhouse, tmp_path) -> None:
    events = [event for number in range(TENANTS) for event in history(f"tenant-{number}", number)]
    Random(99).shuffle(events)
    with deployment(tansu, clickhouse, workers=2, log_dir=tmp_path) as live:
        send(events, live)
        live.wait_idle()
        expected = defined(events, live)

        assert in_clickhouse(live) == expected
        assert on_the_topic(live) == expected
        assert_live_equals(replayed(events, live), live)

    contested = [one.contested_from for one in expected.values() if one.contested_from is not None]
    assert contested
    assert all(since >= START for since in contested)
    tenants_of: dict[str, set[str]] = {}
    for (tenant, _), owner in expected.items():
        tenants_of.setdefault(owner.profile_id, set()).add(tenant)
    assert all(len(tenants) == 1 for tenants in tenants_of.values())
    assert len(tenants_of) < len(expected)
