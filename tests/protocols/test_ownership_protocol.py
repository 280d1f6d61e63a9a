"""Moves, Transfers and forwarding end as the definition says, however messages are delayed, repeated or reordered.

The world is simulated: identity decides links in order, stitch works with assignments that are as stale as the
schedule says, and every message to a profile waits in a bag from which the schedule draws.
"""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.encoding.codec import encode as encode_record
from schemas.encoding.record_types import RESOLVED_TOUCHPOINT
from schemas.encoding.splicing import encode_resolved
from schemas.records import IdentityAssignment, Touchpoint
from streams.identity.outputs import Cause, assignments_of, moves_of
from streams.identity.policy.prepare import prepare
from streams.identity.resolution.components import TenantIdentities
from streams.identity.resolution.definition import own_profile
from streams.identity.resolution.links import links_of
from streams.identity.resolution.ownership import NO_VERSION, node_of, owner_at
from streams.journeys.timeline.effects import Effects
from streams.journeys.timeline.timeline import Timeline
from tests.support.built_in import CATALOGUE, POLICY
from tests.support.copies import EXAMPLES, counting, drawn_events
from tests.support.copies import events_of as copies_of
from tests.support.touchpoints import touchpoint


class World:
    def __init__(self, seed: int, *, forward: bool = True) -> None:
        self.random = Random(seed)
        self.forward = forward
        self.identities = TenantIdentities("default", POLICY)
        self.published: list[IdentityAssignment] = []  # in the order of decisions
        self.known = 0  # how many of them stitch has read
        self.offset = 0
        self.profiles: dict[str, Timeline] = {}
        self.bag: list[tuple[str, str, object]] = []
        self.deliveries = 0

    def source(self, event: Touchpoint) -> None:
        identifier, prepared = prepare(event, POLICY, CATALOGUE)
        self.known = self.random.randint(self.known, len(self.published))
        newest = next(
            (a for a in reversed(self.published[: self.known]) if a["identifier"] == identifier), None
        )
        if newest is None:
            owner, version = own_profile("default", node_of(identifier)), NO_VERSION
        else:
            owner, version = owner_at(newest, prepared["occurred_at"]), newest["version"]
        value = encode_resolved(identifier, owner, version, encode_record("Touchpoint", prepared))
        self.send(owner, "touchpoint", value)
        for link in links_of(prepared, prepared["identifiers"]):
            pair = node_of(link["left"]), node_of(link["right"])
            decision = self.identities.observe(pair, link["occurred_at"], asserted=link["kind"] == "ASSERTED")
            if decision is not None:
                cause = Cause("default", self.offset, link["event_id"], link["occurred_at"])
                self.published += assignments_of(decision, cause)
                for move in moves_of(decision, cause):
                    self.send(move["profile_id"], "move", move["assignment"])
            self.offset += 1

    def send(self, profile: str, kind: str, message: object) -> None:
        copies = 2 if self.random.random() < 0.2 else 1
        self.bag += [(profile, kind, message)] * copies

    def deliver(self) -> None:
        self.deliveries += 1
        assert self.deliveries < 20_000, "messages go round in circles"
        profile, kind, message = self.bag.pop(self.random.randrange(len(self.bag)))
        timeline = self.profiles.setdefault(profile, Timeline("default", profile))
        effects = Effects()
        if kind == "touchpoint":
            timeline.accept(RESOLVED_TOUCHPOINT.decode(message), message, effects)
        elif kind == "move":
            timeline.move(message, effects)
        else:
            timeline.receive(message, effects)
        for owner, value in effects.forwards if self.forward else ():
            self.send(owner, "touchpoint", value)
        for transfer in effects.transfers:
            self.send(transfer["profile_id"], "transfer", transfer)


Held = dict[str, dict[str, Touchpoint]]  #: profile → event → the copy that counts


def expected(events: list[Touchpoint], identities: TenantIdentities) -> Held:
    owned = []
    for event in events:
        identifier, prepared = prepare(event, POLICY, CATALOGUE)
        assignment = identities.assignment(node_of(identifier))
        owned.append((assignment.owner_at(prepared["occurred_at"]), prepared))
    return counting(owned)


def run(events: list[Touchpoint], seed: int, *, forward: bool = True) -> tuple[World, Held]:
    world = World(seed, forward=forward)
    waiting = list(events)
    while waiting or world.bag:
        if waiting and (not world.bag or world.random.random() < 0.5):
            world.source(waiting.pop(0))
        else:
            world.deliver()
    held = {
        profile: {event: entry.touchpoint() for event, entry in timeline.entries.items()}
        for profile, timeline in world.profiles.items()
        if timeline.entries
    }
    return world, held


identifiers = st.lists(
    st.sampled_from(
        [
            ("cookie", "a"),
            ("cookie", "b"),
            ("cookie", "c"),
            ("email", "x@y.org"),
            ("customer_id", "1"),
            ("customer_id", "2"),
        ]
    ),
    min_size=1,
    max_size=3,
    unique=True,
)
histories = st.lists(st.tuples(identifiers, st.integers(0, 9), st.booleans()), min_size=1, max_size=12)


def events_of(history: list[tuple[list[tuple[str, str]], int, bool]]) -> list[Touchpoint]:
    return [
        touchpoint(f"e{number}", minute=minute, ids=ids, link="ASSERTED" if asserted else "OBSERVED")
        for number, (ids, minute, asserted) in enumerate(history)
    ]


@settings(max_examples=EXAMPLES, deadline=None)
@given(drawn_events, st.integers(0, 2**32))
def test_of_the_copies_that_a_profile_owns_in_the_end_the_first_received_counts(drawn, seed: int) -> None:
    events = copies_of(drawn)
    world, held = run(events, seed)

    assert held == expected(events, world.identities)
    for timeline in world.profiles.values():
        assert [place[1] for place in timeline.order] == sorted(
            timeline.entries, key=lambda event: timeline.entries[event].place
        )
        assert sum(map(len, timeline.places.values())) == len(
            {(entry.node, entry.event) for entry in timeline.held()}
        )


@settings(max_examples=400, deadline=None)
@given(histories, st.integers(0, 2**32))
def test_every_schedule_ends_with_each_touchpoint_at_its_owner_and_nowhere_else(history, seed: int) -> None:
    events = events_of(history)
    world, held = run(events, seed)

    assert held == expected(events, world.identities)


def test_without_forwarding_touchpoints_get_lost_so_the_law_above_can_fail() -> None:
    history = [([("cookie", "a")], 0, False), ([("cookie", "a"), ("customer_id", "1")], 1, False)]
    history += [([("customer_id", "1")], minute, False) for minute in range(2, 9)]
    events = events_of(history)

    outcomes = [run(events, seed, forward=False) for seed in range(30)]

    assert any(held != expected(events, world.identities) for world, held in outcomes)
