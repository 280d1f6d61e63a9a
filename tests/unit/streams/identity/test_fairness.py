"""Fairness in identity: decisions are paused and let others pass, and the result is that of the definition."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT, IDENTITY_LINK
from schemas.keys import tenant_key
from streams.identity import agent
from streams.identity.agent import Identity
from streams.identity.lanes import Job, Lanes, WaitingFetch
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.resolution import resumable
from streams.identity.resolution.components import TenantIdentities
from streams.identity.resolution.definition import Assignment, resolve
from streams.identity.resolution.evidence import Node
from streams.runtime import cooperative
from tests.support.agents import FetchEvent, FetchStream, Record, worker_app
from tests.support.built_in import POLICY
from tests.support.identity_people import TENANT, Link, evidence_map, long_histories, observed, policy

RULES = policy()


def jobs_of(history: list[Link], identities: TenantIdentities) -> Iterator[tuple[Job, Any]]:
    for offset, (pair, at, asserted) in enumerate(history):
        record = Record(offset=offset)
        job = Job(record, WaitingFetch(FetchEvent([record])), message=(pair, at, asserted))
        yield job, identities.region(pair)


@settings(max_examples=60)
@given(long_histories, st.integers(0, 40), st.randoms(use_true_random=False))
def test_regions_decided_in_any_order_and_with_pauses_end_as_the_definition_says(history, known, random):
    """Whoever learns assignments keeps the one with the highest version, which is the link's offset."""
    identities = observed(history[:known], RULES)
    learnt: dict[Node, tuple[int, Assignment]] = {
        node: (-1, identities.assignment(node))
        for node in resolve(TENANT, RULES, evidence_map(history[:known]))
    }
    lanes = Lanes()
    for job, region in jobs_of(history[known:], identities):
        lanes.add(job, TENANT, region)
    with mock.patch.object(resumable, "STEPS_BETWEEN_YIELDS", 1):
        while lanes:
            lane, job = lanes.next()
            job.work = job.work or identities.observe_resumably(*job.message)
            try:
                for _ in range(random.choice((1, 1, 3, 1000))):
                    next(job.work)
            except StopIteration as end:
                lanes.served(lane, random.random())
                for node, _, after in [] if end.value is None else end.value.changed:
                    version = job.record.offset
                    assert version > learnt.get(node, (-1,))[0]
                    learnt[node] = version, after
            else:
                lanes.served(lane, random.random(), job)
    expected = resolve(TENANT, RULES, evidence_map(history))
    assert {node: assignment for node, (_, assignment) in learnt.items()} == dict(expected)
    assert identities.refused() == expected.refused


class Stream(FetchStream):
    """Hands on one fetch at a time, and what it has left to an agent that asks for what waits."""

    def __init__(self, *fetches: FetchEvent) -> None:
        self.fetches = list(fetches)

    async def __anext__(self) -> Any:
        if not self.fetches:
            raise StopAsyncIteration
        return self.fetches.pop(0)

    def take_waiting(self) -> Any | None:
        return self.fetches.pop(0) if self.fetches else None


class Broker:
    """Notes the assignments in the order in which they are published, with the publication's number."""

    def __init__(self) -> None:
        self.publications = 0
        self.assignments: list[tuple[int, str, str]] = []
        self.letters = 0

    async def publish(self, outbox: Any) -> dict[Any, tuple[int, int]]:
        self.publications += bool(outbox.records)
        for (topic, _), records in outbox.records.items():
            self.letters += len(records) * topic.endswith(topics.DEAD_LETTERS.name)
            for _, value, _ in records if topic.endswith(topics.IDENTITY_ASSIGNMENTS.name) else ():
                one = IDENTITY_ASSIGNMENT.decode(value)
                self.assignments.append((self.publications, one["tenant"], one["identifier"]["value"]))
        return {}


def linked(tenant: str, one: Node, other: Node, at: int) -> bytes:
    left, right = ({"type": type_, "value": value} for type_, value in sorted((one, other)))
    return IDENTITY_LINK.encode(
        {
            "tenant": tenant, "left": left, "right": right, "occurred_at": at, "kind": "OBSERVED",
            "event_id": f"e{at}", "source": "test",
        }
    )  # fmt: skip


def fetch_of(*values: bytes, tenant: str, offset: int, done: list[int]) -> FetchEvent:
    records = [
        Record(topics.IDENTITY_LINKS.name, 0, offset + number, 0, tenant_key(tenant), value)
        for number, value in enumerate(values)
    ]
    return FetchEvent(records, lambda: done.append(offset))


#: One profile's weak identifiers, the newest first: each names the profile anew.
HEAVY = [linked("flood", ("customer_id", "c"), ("gadget", f"g{at:04d}"), 10_000 - at) for at in range(120)]


@pytest.fixture
def short_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "TURN_SECONDS", 0.002)
    monkeypatch.setattr(cooperative, "TIME_SLICE_SECONDS", 0.0005)


@pytest.mark.usefixtures("short_turns")
@pytest.mark.parametrize("tenant", ["other", "flood"])
def test_a_merge_does_not_wait_for_a_flood_of_another_region(tenant: str) -> None:
    done: list[int] = []
    broker = Broker()
    stream = Stream(
        fetch_of(*HEAVY, tenant="flood", offset=0, done=done),
        fetch_of(linked(tenant, ("cookie", "b"), ("email", "b"), 5), tenant=tenant, offset=120, done=done),
    )
    asyncio.run(Identity(worker_app(broker), POLICY).links(stream))
    bystander = next(number for number, _, value in broker.assignments if value == "b")
    last = max(number for number, _, value in broker.assignments if value != "b")
    assert bystander < last / 4
    assert done == [120, 0]
    assert not broker.letters


def test_a_quarantine_is_told_in_the_log_and_refuses_what_comes_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hub = [linked("flood", ("user_key", "hub"), ("loyalty_id", f"first-{n}"), n) for n in range(10)]
    members = [linked("flood", ("user_key", "hub"), ("alias", f"a{n}"), 100 + n) for n in range(210)]
    refused = [linked("flood", ("alias", f"a{n}"), ("loyalty_id", f"l{n}"), 1000 + n) for n in range(210)]
    broker, done = Broker(), list[int]()
    stream = Stream(fetch_of(*hub, *members, *refused, tenant="flood", offset=0, done=done))
    identity = Identity(worker_app(broker), POLICY)
    asyncio.run(identity.links(stream))
    reasons = Counter(identity.state.of(0).tenant("flood").identities.refused().values())
    assert reasons == {"limit:loyalty_id": 100, "quarantined": 110}
    assert done == [0]
    assert "tenant flood" in caplog.text
    assert "quarantined" in caplog.text


def test_a_component_that_is_too_large_is_told_in_the_log_once_and_then_when_there_are_twice_as_many(
    caplog: pytest.LogCaptureFixture,
) -> None:
    small = IdentityPolicy.parse("[limits]\ncomponent_size = 5\n", b"", "k1")
    values = [
        linked("flood", ("user_key", f"hub{hub}"), ("gadget", f"{hub}-{n}"), 10 * hub + n)
        for hub in range(4)
        for n in range(8)
    ]
    broker, done = Broker(), list[int]()
    stream = Stream(fetch_of(*values, tenant="flood", offset=0, done=done))
    identity = Identity(worker_app(broker), small)
    asyncio.run(identity.links(stream))
    told = [record.getMessage() for record in caplog.records if "component_size" in record.getMessage()]
    assert [message.split("identifiers ")[1].split(",")[0] for message in told] == ["once", "3 times"]
    assert all("tenant flood" in message and "touchline explain" in message for message in told)
    assert identity.state.of(0).refusals() == {"component_size": 32}
    assert identity.state.of(0).sizes()["oversized"] == 36
    assert done == [0]


@pytest.mark.usefixtures("short_turns")
def test_a_record_that_cannot_be_read_becomes_one_dead_letter_and_its_fetch_is_acknowledged() -> None:
    done: list[int] = []
    broker = Broker()
    stream = Stream(
        fetch_of(*HEAVY, b"\xc3\x01 not a link", tenant="flood", offset=0, done=done),
        fetch_of(b"not one either", tenant="flood", offset=121, done=done),
    )
    asyncio.run(Identity(worker_app(broker), POLICY).links(stream))
    assert broker.letters == 2
    assert sorted(done) == [0, 121]
