"""Each row's owner and the copies that count are those of a replay, however the loader is disturbed."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from threading import Event
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from deploy.sandbox import ClickHouseServer
from schemas import topics
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT
from schemas.topics import Topic
from sinks.clickhouse.erasure.erasure import Eraser
from sinks.clickhouse.erasure.receipts import Erasure
from sinks.clickhouse.write.prepare import avro_inserts, prepare
from sinks.clickhouse.write.reconcile import owners as rewriting
from sinks.clickhouse.write.reconcile.reconciliation import BOTH, Reconciliation
from sinks.clickhouse.write.reconcile.session import StoppedError
from tests.integration.test_copies import NAMED, apart, empty, named, published
from tests.integration.test_direct import Both
from tests.protocols.test_erasure_protocol import run_events
from tests.support.copies import NODES, events_of
from tests.support.ids import person
from tests.support.kafka_records import Consumed, assignment, resolved_bytes
from tests.support.touchpoints import START

pytestmark = pytest.mark.sandbox

#: Histories that are loaded at once, each as a tenant of its own.
HISTORIES = 40
BATCHES = 6
SEEDS = 20
MINUTE = 60_000
STEPS = "SELECT tenant, profile_id, occurred_at, channel, type FROM {}"


@pytest.fixture(scope="module")
def both(clickhouse: ClickHouseServer) -> Iterator[Both]:
    store = Both(clickhouse)
    yield store
    store.close()


class Batch:
    """What a loader polled: records of several topics, and the erasures among them."""

    def __init__(self) -> None:
        self.records: list[tuple[Topic, Consumed]] = []
        self.erasures: list[Erasure] = []

    def write(self, store: Both, random: Random, *, crash: bool) -> None:
        """Write it, as Avro or as rows; of a batch whose loader crashes only some inserts."""
        Eraser(store.where).accept(self.erasures)
        avro, rest = avro_inserts(self.records, None, 1) if random.random() < 0.5 else ([], self.records)
        rows, rejected = prepare(rest)
        assert not rejected
        inserts: list[Any] = [*avro, *rows]
        for insert in random.sample(inserts, random.randrange(len(inserts) + 1)) if crash else inserts:
            (store.avro if insert in avro else store.rows).write(insert)
        if self.erasures and not crash:
            store.reconciliation.rewrite([(one.tenant, one.type, one.value) for one in self.erasures])


class Dying(Event):
    """Makes a reconciliation end before one of its statements."""

    def __init__(self, statements: int) -> None:
        super().__init__()
        self._left = statements

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0


def reconcile(store: Both, loaders: list[Reconciliation], random: Random, *, crash: bool) -> None:
    """Some runs of any of the loaders; some of them end in the middle."""
    for _ in range(random.randrange(3)):
        if crash and random.random() < 0.5:
            dying = Reconciliation(store.where, Dying(random.randrange(30)), margin_ms=0)
            with suppress(StoppedError):
                dying.run(random.choice(BOTH))
            dying.close()
        else:
            random.choice(loaders).run(random.choice(BOTH))


def deliver(store: Both, batches: list[Batch], random: Random, *, crash: bool) -> None:
    """Deliver batches out of order and repeatedly, by loaders that may crash, and reconcile at any time between."""
    todo = [*batches, *random.choices(batches, k=len(batches) // 2)]
    random.shuffle(todo)
    loaders = [store.reconciliation, Reconciliation(store.where, margin_ms=0)]
    while todo:
        batch = todo.pop()
        if crash and random.random() < 0.3:
            batch.write(store, random, crash=True)
            todo.insert(random.randrange(len(todo) + 1), batch)
        else:
            batch.write(store, random, crash=False)
        reconcile(store, loaders, random, crash=crash)
    loaders.pop().close()


def history(random: Random) -> tuple[list[Any], list[Any]]:
    """Events, several of them copies, and what people ask for afterwards."""
    drawn = [
        (
            random.sample(NODES, random.randint(1, 3)), random.randint(0, 9), random.randint(-2, 3),
            random.random() < 0.3, random.randint(0, 4), random.choice(["erp", "crm"]), random.randint(0, 2),
        )
        for _ in range(random.randint(1, 12))
    ]  # fmt: skip
    asked = [
        (
            random.choice(["forget", "erasure_requested", "unlink"]),
            random.sample(NODES, 2),
            random.randint(0, 9),
        )
        for _ in range(random.choice([0, 0, 1, 2]))
    ]
    return drawn, asked


@settings(
    max_examples=1,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)
@given(st.integers(0, 2**32))
@pytest.mark.parametrize("crash", [False, True])
def test_rows_end_as_a_replay_says_whatever_is_repeated_reordered_or_cut_off(
    both: Both, crash: bool, seed: int
) -> None:
    empty(both)
    random = Random(seed)
    batches = [Batch() for _ in range(BATCHES)]
    counted, others = [], []
    for number in range(HISTORIES):
        world, replay = run_events(*events_and_requests(random), random.randrange(2**32))
        records, erasures = published(f"t{number}", world)
        for record in records:
            random.choice(batches).records.append(record)
        for erasure in erasures:
            random.choice(batches).erasures.append(erasure)
        counted += [named(f"t{number}", owned) for owned in replay.owned()]
        others += [named(f"t{number}", owned) for owned in replay.copies()]

    deliver(both, batches, random, crash=crash)
    both.reconcile()

    assert Counter(both.query(NAMED.format("touchpoints_current"))) == Counter(counted)
    assert Counter(both.query(NAMED.format("touchpoint_copies"))) == Counter(others)
    assert Counter(both.query(STEPS.format("touchpoint_steps"))) == Counter(
        both.query(STEPS.format("touchpoints_current"))
    )
    both.query("OPTIMIZE TABLE raw_touchpoints FINAL")
    both.query("OPTIMIZE TABLE raw_touchpoint_verdicts FINAL")
    assert Counter(both.query(NAMED.format("touchpoints_current"))) == Counter(counted)


def events_and_requests(random: Random) -> tuple[list[Any], list[Any]]:
    drawn, asked = history(random)
    return apart(events_of(drawn, 10)), [(kind, ids, minute * 10) for kind, ids, minute in asked]


def owners(store: Both) -> dict[str, str]:
    return dict(store.query("SELECT event_id, profile_id FROM touchpoints_current"))


def test_an_identifier_that_changes_hands_ten_times_leaves_one_row_of_each_touchpoint(both: Both) -> None:
    empty(both)
    both.load(topics.JOURNEY_INPUTS, *[resolved_bytes(f"e{n}", minute=n) for n in range(3)])
    for version in random_order(10):
        both.load(
            topics.IDENTITY_ASSIGNMENTS, IDENTITY_ASSIGNMENT.encode(assignment("a", f"p{version}", version))
        )

    assert owners(both) == {"e0": person("p9"), "e1": person("p9"), "e2": person("p9")}
    both.query("OPTIMIZE TABLE raw_touchpoints FINAL")
    assert both.query("SELECT count() FROM raw_touchpoints") == [(3,)]


def random_order(count: int) -> list[int]:
    return Random(3).sample(range(count), count)


def test_reconciling_everything_again_rewrites_nothing(both: Both) -> None:
    empty(both)
    both.load(topics.IDENTITY_ASSIGNMENTS, IDENTITY_ASSIGNMENT.encode(assignment("a", "owner", 5)))
    both.load(
        topics.JOURNEY_INPUTS, resolved_bytes("early"), resolved_bytes("known", version=5, profile="owner")
    )
    rows = "SELECT event_id, owner_id FROM raw_touchpoints"
    written = [("early", person("owner")), ("early", person("p1")), ("known", person("owner"))]
    assert Counter(both.query(rows)) == Counter(written)

    both.query("TRUNCATE TABLE raw_reconciliations")
    both.reconcile()

    assert Counter(both.query(rows)) == Counter(written)


def test_before_the_next_reconciliation_a_row_shows_the_old_owner_so_the_law_above_can_fail(
    both: Both,
) -> None:
    empty(both)
    both.load(topics.JOURNEY_INPUTS, resolved_bytes("e1"))
    record = (topics.IDENTITY_ASSIGNMENTS, Consumed(IDENTITY_ASSIGNMENT.encode(assignment("a", "owner", 5))))
    for insert in prepare([record])[0]:
        both.rows.write(insert)
    assert owners(both) == {"e1": person("p1")}

    both.reconcile()
    assert owners(both) == {"e1": person("owner")}


def changing_hands(random: Random, name: str, first: int) -> tuple[list[Consumed], list[Consumed]]:
    """Touchpoints of an identifier, with offsets from `first` on, and newer assignments that it gets, in any order."""
    touchpoints = [
        Consumed(
            resolved_bytes(f"{name}-{n}", minute=n, ids=[("cookie", name)], version=random.randrange(3)),
            offset=first + n,
        )
        for n in range(random.randint(2, 6))
    ]
    newest = random.randint(3, 9)
    versions = [*random.sample(range(newest), random.randint(1, 3)), newest]
    random.shuffle(versions)
    return touchpoints, [
        Consumed(IDENTITY_ASSIGNMENT.encode(assignment(name, f"{name}-{version}", version)), offset=first + n)
        for n, version in enumerate(versions)
    ]


def write(store: Both, topic: Topic, records: list[Consumed]) -> None:
    inserts, rejected = prepare([(topic, record) for record in records])
    assert not rejected
    for insert in inserts:
        store.rows.write(insert)


@pytest.mark.parametrize("versioned", [True, False])
def test_the_version_of_a_rewritten_row_hides_a_batch_that_comes_again(
    both: Both, monkeypatch: pytest.MonkeyPatch, versioned: bool
) -> None:
    empty(both)
    if not versioned:  # of two rows the one that was written last shows
        said = rewriting.REWRITE
        monkeypatch.setattr(
            rewriting, "REWRITE", said.replace("decided_version, decided", "version, decided")
        )
        assert said != rewriting.REWRITE
    randoms = [Random(seed) for seed in range(SEEDS)]
    drawn = [changing_hands(random, f"s{seed}", seed * 100) for seed, random in enumerate(randoms)]
    write(both, topics.JOURNEY_INPUTS, [one for touchpoints, _ in drawn for one in touchpoints])
    write(both, topics.IDENTITY_ASSIGNMENTS, [one for _, assignments in drawn for one in assignments])
    both.reconcile()
    before = owners(both)

    # the boundaries of a batch that comes again are others, so no token hides it
    for random, (touchpoints, _) in zip(randoms, drawn, strict=True):
        write(both, topics.JOURNEY_INPUTS, touchpoints[: random.randrange(1, len(touchpoints))])

    shown = owners(both)
    harmed = {event.split("-")[0] for event, owner in shown.items() if owner != before[event]}
    assert len(harmed) == (0 if versioned else SEEDS)
    both.reconcile()
    assert owners(both) == before


def test_of_copies_whose_identifiers_come_to_one_owner_one_counts_until_they_part_again(both: Both) -> None:
    empty(both)
    both.load(
        topics.JOURNEY_INPUTS,
        resolved_bytes("e1", ids=[("cookie", "a")], profile="pa", received_at=START),
        resolved_bytes("e1", ids=[("cookie", "b")], profile="pb", received_at=START + 1),
    )
    seen = "SELECT identifier_value, profile_id FROM touchpoints_current ORDER BY ALL"
    assert both.query(seen) == [("a", person("pa")), ("b", person("pb"))]

    names = {person(name): name for name in ("pa", "pb")}
    owners_of: dict[int, tuple[str, ...]] = defaultdict(tuple)
    for version, owner in enumerate(["pa", "pb", "pa"], 1):
        both.load(topics.IDENTITY_ASSIGNMENTS, IDENTITY_ASSIGNMENT.encode(assignment("b", owner, version)))
        owners_of[version] = tuple(f"{value}:{names[profile]}" for value, profile in both.query(seen))
    assert owners_of == {1: ("a:pa",), 2: ("a:pa", "b:pb"), 3: ("a:pa",)}

    Eraser(both.where).accept(
        [Erasure("default", "cookie", "a", START + MINUTE, person("own"), (person("own"),), 9, "r1")]
    )
    both.reconcile()
    assert both.query(seen) == [("b", person("pa"))]
