"""A changed policy: whatever came before, between and after, every touchpoint ends where the new policy says."""

import asyncio
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.repair.policy.plan import preview, questions
from schemas import headers, topics
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT, IDENTITY_CORRECTION, IDENTITY_LINK, MOVE
from schemas.keys import tenant_key
from schemas.records import IdentityAssignment
from streams.identity.agent import Identity
from streams.identity.policy.decided_under import DecidedUnder, key_of
from streams.identity.policy.decision_rules import DecisionRules
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.resolution.definition import resolve
from streams.identity.resolution.evidence import Node
from streams.identity.resolution.ownership import node_of
from streams.identity.resolution.profile_id import Assignment, own_profile
from streams.identity.state import IdentityState
from tests.support.agents import FetchEvent, FetchStream, Record, worker_app
from tests.support.identity_people import NODES, TENANT, Link, evidence_map, histories, link, policy

LOOSE = policy(
    "[types.customer_id]\npriority = 10\n[types.email]\npriority = 20\n[types.cookie]\npriority = 70\n"
)
STRICT = policy()
OTHER = policy("[types.customer_id]\npriority = 10\nlimit = 1\n[types.phone]\nunique = true\npriority = 80\n")
POLICIES = [LOOSE, STRICT, OTHER]
TIMES = range(11)


class Stream(FetchStream):
    def __init__(self, fetch: FetchEvent) -> None:
        self.fetches = [fetch]

    async def __anext__(self) -> Any:
        if not self.fetches:
            raise StopAsyncIteration
        return self.fetches.pop()


class Deployment:
    """One partition of identity, its changelog, its lookups, and the profiles that hold touchpoints.

    Of each identifier there is a touchpoint at each time. It is where it was sent last, at first in the identifier's
    own profile, and moves on as a Move to the profile that holds it says.
    """

    def __init__(self, rules: IdentityPolicy) -> None:
        self.changelog: list[tuple[bytes, bytes | None]] = []
        self.published: dict[Node, IdentityAssignment] = {}
        self.changes = 0
        self.held = {(node, time): own_profile(TENANT, node) for node in NODES for time in TIMES}
        self.offset = 0
        self.start(rules)

    def start(self, rules: IdentityPolicy) -> None:
        """A worker that knows only the changelog, compacted."""
        self.rules = rules
        self.identity = Identity(worker_app(self), rules)
        restore(self.identity.state.of(0), self.changelog)

    def take(self, value: bytes, *with_headers: tuple[str, bytes]) -> None:
        record = Record(
            topics.IDENTITY_LINKS.name, 0, self.offset, 0, tenant_key(TENANT), value, with_headers
        )
        self.offset += 1
        asyncio.run(self.identity.links(Stream(FetchEvent([record]))))

    async def publish(self, outbox: Any) -> dict[Any, tuple[int, int]]:
        for (topic, _), found in outbox.records.items():
            assert topic != topics.DEAD_LETTERS.name
            for key, value, record_headers in found:
                if topic.endswith("changelog"):
                    self.changelog.append((key, value))
                elif topic == topics.IDENTITY_ASSIGNMENTS.name:
                    self._assign(
                        IDENTITY_ASSIGNMENT.decode(value or dict(record_headers)[headers.ASSIGNMENT])
                    )
                elif topic == topics.JOURNEY_INPUTS.name:
                    self._move(MOVE.decode(value))
                self.changes += topic == topics.PROFILE_CHANGES.name
        return {}

    def _assign(self, one: IdentityAssignment) -> None:
        node = node_of(one["identifier"])
        known = self.published.get(node)
        assert known is None or known["version"] < one["version"] or known == one
        self.published[node] = one

    def _move(self, move: Any) -> None:
        one = assignment_of(move["assignment"])
        node = node_of(move["assignment"]["identifier"])
        for time in TIMES:
            if self.held[node, time] == move["profile_id"]:
                self.held[node, time] = one.owner_at(time)

    def apply(self) -> int:
        """As `touchline policy apply` does. Returns how many questions it asked."""
        asked = self.questions()
        for question in asked:
            self.take(question.link)
        links = [value for key, value in compacted(self.changelog) if key.startswith(b"~")]
        said = DecisionRules.of(self.rules, TENANT).fingerprint.encode()
        for value in links[:1]:
            self.take(value, (headers.POLICY_APPLIED, said))
        return len(asked)

    def questions(self) -> list[Any]:
        state = IdentityState(self.rules)
        restore(state, self.changelog)
        links = [(IDENTITY_LINK.decode(v), v) for k, v in compacted(self.changelog) if k.startswith(b"~")]
        published = {node: assignment_of(one) for node, one in self.published.items()}
        return list(questions(TENANT, state.tenant(TENANT), links, published))


def compacted(changelog: list[tuple[bytes, bytes | None]]) -> list[tuple[bytes, bytes]]:
    return [(key, value) for key, value in dict(changelog).items() if value is not None]


def restore(state: IdentityState, changelog: list[tuple[bytes, bytes | None]]) -> None:
    for key, value in compacted(changelog):
        state.restore(key, value)
    state.restored()


def assignment_of(one: IdentityAssignment) -> Assignment:
    return Assignment(one["profile_id"], one["contested_from"], one["contested_profile_id"])


def encoded(one: Link) -> bytes:
    pair, at, asserted = one
    left, right = ({"type": type_, "value": value} for type_, value in pair)
    kind = "ASSERTED" if asserted else "OBSERVED"
    return IDENTITY_LINK.encode(
        {
            "tenant": TENANT, "left": left, "right": right, "occurred_at": at, "kind": kind,
            "event_id": f"e{at}", "source": "test",
        }
    )  # fmt: skip


def unlinked(one: Link) -> bytes:
    pair, at, _ = one
    left, right = ({"type": type_, "value": value} for type_, value in pair)
    return IDENTITY_CORRECTION.encode(
        {
            "tenant": TENANT,
            "kind": "UNLINK",
            "left": left,
            "right": right,
            "occurred_at": at,
            "event_id": "u",
            "source": "op",
        }
    )


def assert_ends_as_defined(live: Deployment, history: list[Link] | None) -> None:
    """`history` is None if corrections took part: then the evidence that is left says what is right."""
    fresh = IdentityState(live.rules)
    restore(fresh, live.changelog)
    expected = {node: fresh.tenant(TENANT).assignment(node) for node in NODES}
    if history is not None:
        definition = resolve(TENANT, live.rules, evidence_map(history))
        assert {node: one for node, one in expected.items() if node in definition} == dict(definition)
    own = {node: Assignment(own_profile(TENANT, node), None, None) for node in NODES}
    known = {node: assignment_of(one) for node, one in live.published.items()}
    assert own | known == expected
    assert live.held == {(node, time): one.owner_at(time) for node, one in expected.items() for time in TIMES}


phases = st.lists(
    st.tuples(st.sampled_from(POLICIES), st.booleans(), st.lists(st.tuples(histories, st.just(0)), max_size=1)),
    min_size=1, max_size=4,
)  # fmt: skip


@settings(max_examples=8)
@given(histories, st.sampled_from(POLICIES), phases)
def test_after_apply_every_touchpoint_is_where_the_new_policy_says(first, began_with, then) -> None:
    assert_applied(first, began_with, then)


@pytest.mark.soak
@settings(max_examples=300)
@given(histories, st.sampled_from(POLICIES), phases)
def test_after_apply_every_touchpoint_is_there_in_many_more_histories(first, began_with, then) -> None:
    assert_applied(first, began_with, then)


def assert_applied(first: list[Link], began_with: IdentityPolicy, then: Any) -> None:
    """Policies change several times, with and without a restart in between, and not each of them is applied."""
    live = Deployment(began_with)
    history = list(first)
    for one in first:
        live.take(encoded(one))
    for rules, applied, more in then:
        live.start(rules)
        for links, _ in more:
            half = len(links) // 2
            for one in links[:half]:
                live.take(encoded(one))
            live.start(rules)
            for one in links[half:]:
                live.take(encoded(one))
            history += links
        if applied:
            live.apply()
    live.start(live.rules)
    live.apply()
    assert_ends_as_defined(live, history)
    assert live.questions() == []


@settings(max_examples=8)
@given(histories, histories, st.data())
def test_after_apply_withdrawn_links_leave_every_touchpoint_where_the_new_policy_says(
    before, after, data
) -> None:
    live = Deployment(LOOSE)
    for one in before:
        live.take(encoded(one))
    live.start(STRICT)
    for one in after:
        live.take(encoded(one) if data.draw(st.booleans()) else unlinked(one))
    live.apply()
    assert_ends_as_defined(live, None)


def test_without_apply_new_evidence_alone_moves_what_a_stricter_policy_splits_off() -> None:
    live = Deployment(LOOSE)
    history = [link("customer_id:A", "cookie:w", 1), link("customer_id:B", "cookie:w", 2)]
    for one in history:
        live.take(encoded(one))
    live.start(STRICT)
    history.append(link("customer_id:B", "email:a", 3))
    live.take(encoded(history[-1]))
    assert_ends_as_defined(live, history)


def test_an_application_that_is_killed_asks_later_only_for_what_still_differs() -> None:
    live = Deployment(LOOSE)
    for who, cookie in (("A", "w"), ("B", "w"), ("A", "x"), ("C", "x"), ("C", "y")):
        live.take(encoded(link(f"customer_id:{who}", f"cookie:{cookie}", 1)))
    live.take(encoded(link("email:a", "phone:1", 1)))
    live.take(encoded(link("email:b", "phone:1", 1)))
    live.take(encoded(link("email:c", "phone:1", 1)))
    live.start(STRICT)
    first, second = live.questions()
    live.take(first.link)
    live.start(STRICT)
    assert [question.members for question in live.questions()] == [second.members]


def test_what_was_decided_again_is_not_published_again_once_all_is() -> None:
    live = Deployment(LOOSE)
    live.take(encoded(link("customer_id:A", "cookie:w", 1)))
    live.take(encoded(link("customer_id:B", "cookie:w", 2)))
    live.start(STRICT)
    assert live.apply() == 1
    told, known = live.changes, dict(live.published)
    assert told
    live.start(STRICT)
    live.take(encoded(link("customer_id:B", "cookie:w", 2)))
    assert (live.changes, live.published) == (told, known)
    said = DecidedUnder.read(dict(compacted(live.changelog))[key_of(TENANT)])
    assert said == DecidedUnder.first(STRICT, TENANT)


def test_the_plan_counts_who_merges_and_who_splits() -> None:
    live = Deployment(LOOSE)
    live.take(encoded(link("customer_id:A", "cookie:w", 1)))
    live.take(encoded(link("customer_id:B", "cookie:w", 2)))
    live.start(STRICT)
    planned = preview(live.questions())
    assert (len(planned.merges), [sum(parts.values()) for parts in planned.splits.values()]) == (0, [3])
    live.apply()
    live.start(LOOSE)
    planned = preview(live.questions())
    assert (len(planned.splits), [sum(parts.values()) for parts in planned.merges.values()]) == (0, [3])


def test_rules_survive_their_changelog_record_and_equal_rules_have_one_fingerprint() -> None:
    fingerprints = defaultdict(set)
    for rules in POLICIES:
        said = DecidedUnder.first(rules, TENANT).under(DecisionRules.of(OTHER, TENANT))
        assert DecidedUnder.read(said.encode()) == said
        fingerprints[DecisionRules.of(rules, TENANT).fingerprint].add(DecisionRules.of(rules, TENANT))
    assert [len(found) for found in fingerprints.values()] == [1, 1, 1]
