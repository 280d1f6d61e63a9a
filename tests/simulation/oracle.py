"""What must hold at the end of every run, whatever happened on the way."""

from collections import defaultdict

from schemas import headers, topics
from schemas.encoding.codec import decode
from schemas.keys import account_key, identifier_key, profile_key
from schemas.records import Touchpoint
from schemas.touchpoint.events import Rank, event_key, rank_of
from streams.identity.resolution.ownership import owner_at
from streams.journeys.state.fold import Fold
from streams.journeys.timeline.effects import Effects
from streams.journeys.timeline.horizon_summary import fold_timeline
from streams.journeys.timeline.timeline import Timeline
from streams.replay import Replay
from tests.simulation.kafka import Kafka
from tests.simulation.worker import Worker
from tests.simulation.world import World
from tests.support.built_in import CATALOGUE, POLICY, RULES
from tests.support.subscriber import Subscriber

Held = dict[str, dict[str, Rank]]  #: profile → event → which of its copies counts
Signals = set[tuple[str, str, str]]  #: profile, kind, signal id


def problems(world: World, events: tuple[Touchpoint | None, ...]) -> list[str]:
    """How a finished run differs from the definition: empty if it is right. Ends with a restart of everything."""
    replay = Replay(POLICY, CATALOGUE, RULES)
    for event in events:
        if event is not None:
            replay.add(event)
    expected: Held = defaultdict(dict)
    for owned in replay.owned():
        expected[owned.profile_id][event_key(owned.touchpoint)] = rank_of(owned.touchpoint)
    kafka, found = world.kafka, []

    def compare(what: str, got: object, expected: object) -> None:
        if got != expected:
            found.append(f"{what}: {got!r}, but should be {expected!r}")

    compare("uncommitted", uncommitted(kafka), {})
    compare("dead letters", dead_letters(kafka), sum(event is None for event in events) > 0)
    compare("touchpoints in ClickHouse", owned_rows(kafka), dict(expected))
    compare("timelines", held(world.workers), dict(expected))
    hashes = {profile_key(s["tenant"], s["profile_id"]): s["state_hash"] for s in replay.states()}
    compare("journeys", newest(kafka, topics.JOURNEY_STATES.name, "state_hash"), hashes)
    accounts = {account_key(a["tenant"], a["account_id"]): a["members"] for a in replay.accounts()}
    compare("accounts", newest(kafka, topics.ACCOUNT_STATES.name, "members"), accounts)
    hold = holding(world.workers)
    compare("signals", raised(kafka), hold)
    compare("signals by definition", hold, defined(replay, world.workers))
    compare("timelines after a restart", held([world.restart()]), dict(expected))
    return found


def uncommitted(kafka: Kafka) -> dict[str, int]:
    """Partitions with records that no group has committed."""
    read = {
        topic.name
        for topic in topics.ALL
        if set(topic.read_by) & {"stitch", "identity", "journeys", "accounts"}
    }
    return {
        f"{topic}/{partition}": log.end - kafka.committed.get((topic, partition), 0)
        for (topic, partition), log in kafka.logs.items()
        if topic in read
        and not topic.endswith("-changelog")
        and log.end != kafka.committed.get((topic, partition), 0)
    }


def dead_letters(kafka: Kafka) -> bool:
    """Whether there are any."""
    return bool(kafka.topic(topics.DEAD_LETTERS.name))


def owned_rows(kafka: Kafka) -> Held:
    """What the view touchpoints_current shows."""
    assignments: dict[bytes, dict] = {}
    for record in kafka.topic(topics.IDENTITY_ASSIGNMENTS.name):
        if record.value is not None:
            assignment = decode(record.value)[1]
            known = assignments.get(record.key)
            if known is None or known["version"] <= assignment["version"]:
                assignments[record.key] = assignment
    found: Held = defaultdict(dict)
    for record in kafka.topic(topics.JOURNEY_INPUTS.name):
        name, resolved = decode(record.value)
        if name != "ResolvedTouchpoint":
            continue
        touchpoint = resolved["touchpoint"]
        assignment = assignments.get(identifier_key(touchpoint["tenant"], resolved["identifier"]))
        owner = resolved["profile_id"]
        if assignment is not None and assignment["version"] >= resolved["version"]:
            owner = owner_at(assignment, touchpoint["occurred_at"])
        event, rank = event_key(touchpoint), rank_of(touchpoint)
        found[owner][event] = min(rank, found[owner].get(event, rank))
    return dict(found)


def held(workers: list[Worker]) -> Held:
    """Which profile holds which touchpoints, once the pointers that it knows have been applied."""
    found: Held = {}
    for worker in workers:
        for partition in worker.journeys.state.all():
            for journey in partition.journeys.values():
                timeline = journey.timeline
                timeline.settle(Effects())
                if timeline.entries:
                    found[timeline.profile_id] = {
                        event: rank_of(entry.touchpoint()) for event, entry in timeline.entries.items()
                    }
    return found


def raised(kafka: Kafka) -> Signals:
    """The signals that a subscriber has to act on, whichever partition it reads first."""
    logs = kafka.logs_of(topics.JOURNEY_SIGNALS.name)
    one, other = (
        {
            (signal["profile_id"], signal["kind"], signal["subject_id"])
            for signal in Subscriber().read(record.value for log in order for record in log).holding()
        }
        for order in (logs, logs[::-1])
    )
    assert one == other
    return one


def defined(replay: Replay, workers: list[Worker]) -> Signals:
    """The signals that hold by definition, of each profile at the time at which it was published last."""
    times = {
        (journey.timeline.tenant, journey.timeline.profile_id): journey.told.last.now
        for worker in workers
        for partition in worker.journeys.state.all()
        for journey in partition.journeys.values()
        if journey.told.last is not None
    }
    return {
        (signal["profile_id"], signal["kind"], signal["subject_id"])
        for now in set(times.values())
        for signal in replay.signals(now)
        if times.get((signal["tenant"], signal["profile_id"])) == now
    }


def holding(workers: list[Worker]) -> Signals:
    """The signals that hold: by a fold of each timeline from its beginning, at the time it was published last."""
    return {
        (journey.timeline.profile_id, signal.kind, signal.subject_id)
        for worker in workers
        for partition in worker.journeys.state.all()
        for journey in partition.journeys.values()
        if journey.timeline.entries and journey.told.last is not None
        for signal in folded(journey.timeline).signals(journey.told.last.now)
    }


def folded(timeline: Timeline) -> Fold:
    """A fold that nobody has used before."""
    entries = [timeline.entries[event] for _, event in timeline.order]
    owned = [(entry.node, decode(entry.value)[1]["touchpoint"]) for entry in entries]
    return fold_timeline(owned, CATALOGUE, RULES)


def newest(kafka: Kafka, topic: str, field: str) -> dict[bytes, object]:
    """A field of the record with the highest version of each key, tombstones left out: what a subscriber holds."""
    versions: dict[bytes, int] = {}
    values: dict[bytes, object] = {}
    for record in kafka.topic(topic):
        if record.value is None:
            version, value = int(dict(record.headers)[headers.VERSION]), None
        else:
            body = decode(record.value)[1]
            version, value = body["version"], body[field]
        if version >= versions.get(record.key, -1):
            versions[record.key], values[record.key] = version, value
    return {key: value for key, value in values.items() if value is not None}
