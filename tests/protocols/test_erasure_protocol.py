"""Erasures and withdrawn links end as if what they cut had never been there, however everything is delayed.

The code of the stitch and identity agents runs as it is, and profiles' timelines with it; topics are bags from which
the schedule draws, files are published twice, and agents lose their memory and read their changelogs.
"""

from collections import defaultdict
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.encoding.codec import decode
from schemas.encoding.record_types import IDENTITY_CORRECTION, IDENTITY_LINK, TOUCHPOINT, TRANSFER
from schemas.keys import identifier_key, partition_of, profile_key, tenant_key
from schemas.records import IdentityCorrection, Touchpoint
from schemas.touchpoint.events import event_id_of
from streams.identity.agent import Identity
from streams.identity.lanes import Job, WaitingFetch
from streams.identity.policy.prepare import prepare
from streams.identity.resolution.links import links_of
from streams.identity.state import IdentityState
from streams.journeys.partition import JourneyPartition
from streams.journeys.timeline.effects import Effects
from streams.journeys.timeline.timeline import Timeline
from streams.replay import Replay
from streams.runtime.cooperative import Turn
from streams.runtime.transaction import FetchTransaction
from streams.stitch.agent import Stitch
from streams.stitch.stitching import StitchState
from tests.support.agents import FetchEvent, Record, at_once, worker_app
from tests.support.built_in import CATALOGUE, POLICY, RULES
from tests.support.copies import EXAMPLES, NODES, counting, drawn_events, identifiers
from tests.support.copies import events_of as copies_of
from tests.support.touchpoints import START, touchpoint
from tests.support.transactions import transaction_over

PARTITIONS = 7
APP = worker_app(partitions=PARTITIONS)
STITCH, IDENTITY = Stitch(APP, POLICY, CATALOGUE), Identity(APP, POLICY)


class World:
    def __init__(self, seed: int, *, resend: bool = True) -> None:
        self.random = Random(seed)
        self.resend = resend
        self.touchpoints: list[Record] = []
        self.links: list[Record] = []
        self.inputs: list[tuple[str, bytes]] = []
        self.assignments: dict[int, list[Record]] = defaultdict(list)
        self.stitches: dict[int, StitchState] = defaultdict(StitchState)
        self.identity = IdentityState(POLICY)
        self.offset = 0
        self.journeys = JourneyPartition(0)
        self.changelogs: dict[tuple[str, int], list[Record]] = defaultdict(list)
        self.published: list[Record] = []  # identity-assignments
        self.stitched: list[bytes] = []  # journey-inputs
        self.changes: list[dict[str, Any]] = []
        self.links_published = 0

    def add(self, event: Touchpoint) -> None:
        identifier, prepared = prepare(event, POLICY, CATALOGUE)
        key = identifier_key("default", identifier)
        for _ in range(self.random.choice([1, 1, 1, 2])):
            self.touchpoints.append(Record(key=key, value=TOUCHPOINT.encode(prepared)))

    def correct(self, correction: IdentityCorrection) -> None:
        self.links.append(Record(key=tenant_key("default"), value=IDENTITY_CORRECTION.encode(correction)))

    def run(self) -> "World":
        for _ in range(50_000):
            choices = [self.stitch] * bool(self.touchpoints) + [self.resolve] * bool(self.links)
            choices += [self.deliver] * bool(self.inputs)
            choices += [self.learn] * any(self.assignments.values())
            if not choices:
                return self
            self.random.choice(choices)()
            if self.random.random() < 0.03:
                self.restart()
        raise AssertionError("messages go round in circles")

    def draw(self, bag: list[Any]) -> Any:
        at = self.random.randrange(len(bag))
        return bag[at] if self.random.random() < 0.1 else bag.pop(at)

    def stitch(self) -> None:
        record = self.draw(self.touchpoints)
        record.partition = partition_of(record.key, PARTITIONS)
        fetch = transaction_over(APP, self.stitches[record.partition], record.partition)
        placed = STITCH.accept(record, fetch, set())
        STITCH.stitch([placed] if placed else [], fetch.state, fetch.outputs)
        self.route("stitch", fetch)

    def learn(self) -> None:
        """Stitch reads some fetch of identity-assignments."""
        partition = self.random.choice([number for number, log in self.assignments.items() if log])
        log = self.assignments[partition]
        records = [log.pop(0) for _ in range(self.random.randint(1, len(log)))]
        fetch = transaction_over(APP, self.stitches[partition], partition)
        STITCH.learning.learn(records, fetch)
        self.route("stitch", fetch)

    def resolve(self) -> None:
        record = self.draw(self.links)
        record.partition = partition_of(record.key, PARTITIONS)
        record.offset, self.offset = self.offset, self.offset + 1
        fetch = transaction_over(APP, self.identity)
        at_once(IDENTITY.decide(Job(record, WaitingFetch(FetchEvent([record]))), fetch, Turn(float("inf"))))
        self.route("identity", fetch)

    def deliver(self) -> None:
        profile_id, value = self.draw(self.inputs)
        name, message = decode(value)
        key = profile_key("default", profile_id)
        timeline = self.journeys.journey(key, "default", profile_id).timeline
        effects = Effects()
        if not timeline.settled:
            timeline.settled = True
            timeline.settle(effects)
        if name == "ResolvedTouchpoint":
            timeline.accept(message, value, effects)
        elif name == "Transfer":
            timeline.receive(message, effects)
        else:
            timeline.move(message["assignment"], effects)
        for event in effects.evidence if self.resend else ():
            for link in links_of(event, event["identifiers"]):
                self.links.append(Record(key=tenant_key("default"), value=IDENTITY_LINK.encode(link)))
        self.inputs += effects.forwards
        self.stitched += [value for _, value in effects.forwards]
        self.changelogs["journeys", 0] += [
            Record(key=name, value=value) for name, value in self.journeys.changelog(key, effects)
        ]
        self.inputs += [(one["profile_id"], TRANSFER.encode(one)) for one in effects.transfers]

    def route(self, agent: str, fetch: FetchTransaction[Any]) -> None:
        for (topic, partition), records in fetch.outputs.records.items():
            for key, value, headers in records:
                if topic == topics.IDENTITY_LINKS.name:
                    self.links_published += 1
                    self.links.append(Record(key=key, value=value))
                elif topic == topics.JOURNEY_INPUTS.name:
                    self.inputs.append((key.decode().partition("/")[2], value))
                    self.stitched.append(value)
                elif topic == topics.IDENTITY_ASSIGNMENTS.name:
                    record = Record(partition=partition, key=key, value=value, headers=headers or ())
                    self.published.append(record)
                    self.assignments[partition].append(record)
                elif topic == topics.PROFILE_CHANGES.name:
                    self.changes.append(decode(value)[1])
                else:
                    raise AssertionError(topic)
        for (_, partition), records in fetch.changes.records.items():
            where = partition if agent == "stitch" else 0
            self.changelogs[agent, where] += [Record(key=key, value=value) for key, value, _ in records]

    def restart(self) -> None:
        """Somebody crashes and reads its changelog, compacted or not."""
        agent, partition = self.random.choice(
            [("identity", 0), ("journeys", 0), *(("stitch", n) for n in self.stitches)]
        )
        records = self.changelogs[agent, partition]
        if self.random.random() < 0.5:
            newest = {record.key: record for record in records}
            records = [record for record in records if newest[record.key] is record]
        state: Any = {"identity": lambda: IdentityState(POLICY), "journeys": lambda: JourneyPartition(0)}.get(
            agent, StitchState
        )()
        for record in records:
            state.restore(record.key, record.value)
        state.restored()
        if agent == "identity":
            self.identity = state
        elif agent == "journeys":
            self.journeys = state
        else:
            self.stitches[partition] = state

    def timelines(self) -> list[Timeline]:
        return [journey.timeline for journey in self.journeys.journeys.values()]

    def held(self) -> dict[str, dict[str, Touchpoint]]:
        for journey in self.journeys.journeys.values():
            journey.timeline.settle(Effects())
        return {
            timeline.profile_id: {event: entry.touchpoint() for event, entry in timeline.entries.items()}
            for timeline in self.timelines()
            if timeline.entries
        }

    def hashes(self) -> dict[str, str]:
        return {
            timeline.profile_id: timeline.state(CATALOGUE, RULES)["state_hash"]
            for timeline in self.timelines()
            if timeline.entries
        }


histories = st.lists(st.tuples(identifiers, st.integers(0, 9), st.booleans()), min_size=1, max_size=10)
request = st.tuples(
    st.sampled_from(["forget", "erasure_requested", "unlink"]),
    st.lists(st.sampled_from(NODES), min_size=2, max_size=2, unique=True),
    st.integers(0, 9),
)
requests = st.lists(request, min_size=1, max_size=3)


def events_of(history: list[tuple[list[tuple[str, str]], int, bool]]) -> list[Touchpoint]:
    return [
        touchpoint(f"e{number}", minute=minute, ids=ids, link="ASSERTED" if asserted else "OBSERVED")
        for number, (ids, minute, asserted) in enumerate(history)
    ]


def correction(kind: str, ids: list[tuple[str, str]], minute: int, name: str) -> IdentityCorrection:
    prepared = [POLICY.usable([{"type": t, "value": v}])[0] for t, v in ids]
    if kind == "unlink":
        prepared.sort(key=lambda one: (one["type"], one["value"]))
    left, right = prepared
    return IdentityCorrection(
        tenant="default", kind="ERASE" if kind == "forget" else "UNLINK", left=left,
        right=None if kind == "forget" else right, occurred_at=START + minute * 60_000, event_id=name, source="test",
    )  # fmt: skip


def run(history: Any, asked: Any, seed: int, *, resend: bool = True) -> tuple[World, Replay]:
    return run_events(events_of(history), asked, seed, resend=resend)


def run_events(
    events: list[Touchpoint], asked: Any, seed: int, *, resend: bool = True
) -> tuple[World, Replay]:
    world = World(seed, resend=resend)
    replay = Replay(POLICY, CATALOGUE, RULES)
    for event in events:
        world.add(event)
        replay.add(event)
    for number, (kind, ids, minute) in enumerate(asked):
        if kind == "erasure_requested":
            request = touchpoint(f"r{number}", minute=minute, ids=ids[:1], type=kind)
            world.add(request)
            replay.add(request)
        else:
            request = correction(kind, ids, minute, f"r{number}")
            world.correct(request)
            replay.correct(request)
    return world.run(), replay


def expected(replay: Replay) -> dict[str, dict[str, Touchpoint]]:
    return counting([(owned.profile_id, owned.touchpoint) for owned in replay.owned()])


@settings(max_examples=EXAMPLES, deadline=None)
@given(drawn_events, st.lists(request, max_size=3), st.integers(0, 2**32))
def test_copies_end_alike_in_timelines_and_in_replay_whatever_is_erased(drawn, asked, seed: int) -> None:
    world, replay = run_events(copies_of(drawn), asked, seed)

    assert world.held() == expected(replay)
    assert world.hashes() == {state["profile_id"]: state["state_hash"] for state in replay.states()}
    counted = [(owned.profile_id, owned.touchpoint) for owned in replay.owned()]
    everything = counted + [(owned.profile_id, owned.touchpoint) for owned in replay.copies()]
    assert counting(counted) == counting(everything), "what does not count is a copy of what does"
    assert len(counted) == sum(map(len, counting(counted).values()))


@settings(max_examples=400, deadline=None)
@given(histories, requests, st.integers(0, 2**32))
def test_every_schedule_ends_as_if_what_was_cut_had_never_been_there(history, asked, seed: int) -> None:
    world, replay = run(history, asked, seed)

    assert world.held() == expected(replay)


def test_unless_evidence_after_a_cut_is_sent_again_it_gets_lost_so_the_law_above_can_fail() -> None:
    history = [([("cookie", "a"), ("customer_id", "1")], minute, False) for minute in (1, 2, 7, 8)]
    asked = [("unlink", [("cookie", "a"), ("customer_id", "1")], 5)]
    history += [([("cookie", "a")], 9, False)]

    runs = [run(history, asked, seed, resend=False) for seed in range(60)]

    assert any(world.held() != expected(replay) for world, replay in runs)


def test_what_is_erased_leaves_tombstones_and_no_evidence_in_any_changelog() -> None:
    history = [([("cookie", "a"), ("customer_id", "1")], minute, False) for minute in (1, 2)]
    history += [([("cookie", "b"), ("customer_id", "1")], 3, False)]
    world, _ = run(history, [("forget", [("customer_id", "1"), ("cookie", "a")], 9)], seed=1)

    evidence = {
        record.key: record.value
        for (_, _), log in world.changelogs.items()
        for record in log
        if record.key[:1] == b"~"
    }
    assert evidence
    assert set(evidence.values()) == {None}


def test_an_erased_identifier_comes_back_as_a_new_person() -> None:
    before, after = ([("cookie", name), ("customer_id", "1")] for name in "ab")
    history = [(before[:1], 0, False), (before, 1, False), (after, 8, False), (after[:1], 9, False)]
    for seed in range(20):
        world, replay = run(history, [("forget", before[::-1], 5)], seed)

        assert world.held() == expected(replay)
        held = [sorted(map(event_id_of, events)) for events in world.held().values()]
        assert sorted(held) == [["e0"], ["e2", "e3"]]
