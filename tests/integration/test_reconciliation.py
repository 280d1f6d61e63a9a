"""A reconciliation misses nothing: of slow inserts, of a clock set back, of runs that died, of two runs at once."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from threading import Event

import pytest

from deploy.sandbox import ClickHouseServer, TansuBroker
from schemas import topics
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT
from schemas.errors import UnavailableError
from sinks.clickhouse.erasure.erasure import Eraser
from sinks.clickhouse.erasure.receipts import Erasure
from sinks.clickhouse.write.prepare import prepare
from sinks.clickhouse.write.reconcile import journal, owners
from sinks.clickhouse.write.reconcile.reconciliation import Reconciliation
from sinks.clickhouse.write.reconcile.session import Limits, Session, StoppedError
from tests.faults.proxy import Proxy
from tests.integration.parts import deployment
from tests.integration.store import Store
from tests.integration.test_loader import send
from tests.support.ids import person
from tests.support.kafka_records import Consumed, assignment, resolved_bytes
from tests.support.touchpoints import START

pytestmark = pytest.mark.sandbox

PEOPLE = "SELECT profile_id, touchpoints FROM profiles ORDER BY profile_id"
SHOWN = "SELECT profile_id, count() FROM touchpoints_current GROUP BY profile_id ORDER BY profile_id"


def assign(store: Store, value: str, owner: str, version: int) -> None:
    """An assignment that no run has seen."""
    record = (
        topics.IDENTITY_ASSIGNMENTS,
        Consumed(IDENTITY_ASSIGNMENT.encode(assignment(value, owner, version))),
    )
    for insert in prepare([record])[0]:
        store.rows.write(insert)


def test_an_insert_that_shows_long_after_it_began_is_seen_only_because_it_is_noted(store: Store) -> None:
    store.load(topics.JOURNEY_INPUTS, resolved_bytes("e1"))
    store.query(
        "INSERT INTO raw_identity_assignments"
        " (tenant, identifier_type, identifier_value, profile_id, version, loaded_at)"
        f" SELECT 'default', 'cookie', 'a', '{person('owner')}', 5, now64(3) - toIntervalMinute(1)"
    )
    store.reconcile()
    assert store.query(SHOWN) == store.query(PEOPLE) == [(person("p1"), 1)]

    store.reconciliation.note_slow(90.0)
    store.reconcile()
    assert store.query(SHOWN) == store.query(PEOPLE) == [(person("owner"), 1)]


def test_after_the_clock_was_set_back_everything_is_reconciled_again(store: Store) -> None:
    store.load(topics.JOURNEY_INPUTS, resolved_bytes("e1"))
    store.query(
        "INSERT INTO raw_reconciliations (run_id, what, started_at, since, until, finished)"
        " SELECT 'ahead', arrayJoin(['owners', 'profiles']), now64(3), 0, now64(3) + toIntervalHour(1), 1"
    )
    assign(store, "a", "owner", 5)
    for _ in range(2):
        store.reconcile()
    assert store.query(SHOWN) == store.query(PEOPLE) == [(person("owner"), 1)]
    assert store.query("SELECT count() FROM reconciled WHERE until > now64(3)") == [(0,)]


def test_the_profiles_of_rows_that_a_dead_run_rewrote_are_computed_though_another_run_has_passed_them(
    store: Store,
) -> None:
    store.load(topics.JOURNEY_INPUTS, resolved_bytes("e1"))
    assign(store, "a", "owner", 5)
    dying = Session(store.where)
    with dying.opened():
        run = journal.begin(dying, "owners", 0)
        owners.rewrite_since(dying, run.since)
    dying.close()
    time.sleep(0.002)
    # a run of another loader that could not see the rewritten rows yet
    store.query(
        "INSERT INTO raw_reconciliations (run_id, what, started_at, since, until, finished)"
        " SELECT 'other', 'profiles', now64(3), 0, now64(3), 1"
    )
    time.sleep(0.002)

    store.reconciliation.run("profiles")
    assert (store.query(SHOWN), store.query(PEOPLE)) == ([(person("owner"), 1)], [(person("p1"), 1)])

    store.reconcile()
    assert store.query(SHOWN) == store.query(PEOPLE) == [(person("owner"), 1)]


def test_a_profile_is_computed_again_when_a_copy_was_decided_on_after_it_was_computed(store: Store) -> None:
    write(
        store,
        [
            resolved_bytes("e1", ids=[("cookie", name)], profile="p", minute=at)
            for at, name in enumerate("ab")
        ],
    )
    store.reconciliation.run("profiles")
    assert store.query(PEOPLE) == [(person("p"), 2)]
    time.sleep(0.002)

    store.reconciliation.run("owners")
    store.reconciliation.run("profiles")

    assert store.query(SHOWN) == store.query(PEOPLE) == [(person("p"), 1)]


def test_two_loaders_reconcile_while_a_third_loads(store: Store) -> None:
    stop = Event()

    def reconciling() -> int:
        mine, runs = Reconciliation(store.where), 0
        while not stop.is_set():
            mine.run_all()
            runs += 1
        mine.close()
        return runs

    with ThreadPoolExecutor() as pool:
        both = [pool.submit(reconciling) for _ in range(2)]
        for version in range(12):
            write(store, [resolved_bytes(f"e{version}", version=version)])
            assign(store, "a", f"p{version + 1}", version + 1)
        stop.set()
        assert all(one.result() for one in both)
    store.reconcile()
    assert store.query(SHOWN) == store.query(PEOPLE) == [(person("p12"), 12)]


def test_of_the_rows_of_one_batch_the_newest_decision_shows_at_once(store: Store) -> None:
    write(
        store,
        [resolved_bytes("e1", profile=f"p{version}", version=version) for version in range(3)],
    )

    assert store.query(
        "SELECT count(), sum(level) FROM system.parts WHERE database = currentDatabase()"
        " AND table = 'raw_touchpoints' AND active"
    ) == [(1, 0)]
    assert store.query(SHOWN) == [(person("p2"), 1)]


def test_a_large_window_is_reconciled_in_parts(store: Store) -> None:
    for number in range(40):
        who = [("cookie", f"c{number}")]
        values = [
            resolved_bytes(f"e{number}", ids=who, profile=f"p{number}", minute=minute) for minute in (0, 1)
        ]
        write(store, values)
        assign(store, f"c{number}", f"owner{number // 2}", 5)
    with closing(Reconciliation(store.where, margin_ms=0, limits=Limits(at_once=7))) as reconciliation:
        reconciliation.run_all()
    expected = sorted((person(f"owner{number}"), 2) for number in range(20))
    assert sorted(store.query(SHOWN)) == sorted(store.query(PEOPLE)) == expected
    assert store.query("SELECT count() FROM touchpoint_copies") == [(40,)]


def write(store: Store, values: list[bytes]) -> None:
    for insert in prepare(
        [(topics.JOURNEY_INPUTS, Consumed(value, offset=n)) for n, value in enumerate(values)]
    )[0]:
        store.rows.write(insert)


def test_a_stop_ends_a_run_before_its_next_statement_and_the_next_run_repeats_it(store: Store) -> None:
    store.load(topics.JOURNEY_INPUTS, resolved_bytes("e1"))
    assign(store, "a", "owner", 5)
    stopping = Event()
    stopping.set()
    stopped = Reconciliation(store.where, stopping, margin_ms=0)
    with pytest.raises(StoppedError):
        stopped.run("owners")
    assert store.query(SHOWN) == [(person("p1"), 1)]
    store.reconcile()
    assert store.query(SHOWN) == store.query(PEOPLE) == [(person("owner"), 1)]


def test_what_was_computed_of_an_erased_person_is_deleted_and_computed_anew(store: Store) -> None:
    mine, shared = [("cookie", "gone")], [("cookie", "kept")]
    store.load(
        topics.JOURNEY_INPUTS,
        resolved_bytes("e1", ids=mine, profile="p", session_id="secret"),
        resolved_bytes("e2", ids=shared, profile="p", minute=1),
        resolved_bytes("e1", ids=shared, profile="p", minute=2, received_at=START + 600_000),
    )
    assert store.query("SELECT touchpoints FROM profiles") == [(2,)]
    assert store.query("SELECT count() FROM touchpoint_copies") == [(1,)]
    erasure = Erasure("default", "cookie", "gone", START + 60_000_000, person("own"), (person("p"),), 9, "r1")
    eraser = Eraser(store.where)

    # the rows arrive so late that no loader has marked them as erased when they are deleted
    eraser.accept([erasure])
    eraser.carry_out(erasure)

    personal = "SELECT count() FROM {} WHERE position(toString(tuple(*)), '{}') > 0"
    for table in (
        "raw_profiles",
        "raw_profile_identifiers",
        "raw_identifier_profiles",
        "raw_touchpoint_verdicts",
    ):
        assert store.query(personal.format(table, "gone")) == [(0,)], table
    assert store.query(personal.format("raw_profiles", "secret")) == [(0,)]
    store.reconcile()
    assert store.query(SHOWN) == store.query(PEOPLE) == [(person("p"), 2)]


def test_a_running_loader_reconciles_by_itself_within_seconds(
    tansu: TansuBroker, clickhouse: ClickHouseServer
) -> None:
    with deployment(tansu, clickhouse, workers=0) as live:
        send(live, topics.JOURNEY_INPUTS, [resolved_bytes("e1")])
        until(lambda: live.query(PEOPLE) == [(person("p1"), 1)])
        send(live, topics.IDENTITY_ASSIGNMENTS, [IDENTITY_ASSIGNMENT.encode(assignment("a", "owner", 5))])
        until(lambda: live.query(SHOWN) == live.query(PEOPLE) == [(person("owner"), 1)])
        assert live.query("SELECT count() FROM reconciled WHERE seconds_ago < 60") == [(2,)]


def until(condition: Callable[[], bool], seconds: float = 100.0) -> None:
    """Wait for it; on a quiet machine it takes three seconds, on a busy one a minute."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "the loader did not reconcile"
        time.sleep(0.2)


def test_a_connection_that_is_lost_in_the_middle_is_no_lack_of_tables_and_the_next_run_repeats_it(
    store: Store,
) -> None:
    with Proxy(store.where.port) as proxy, closing(Session(replace(store.where, port=proxy.port))) as session:
        with pytest.raises(UnavailableError, match="was lost during a reconciliation"), session.opened():  # noqa: PT012
            session.fill("held", "SELECT '', '', '' WHERE 0")
            proxy.cut()
            time.sleep(0.1)
            session.fill("held", "SELECT '', '', '' WHERE 0")
        with session.opened():
            assert session.fill("held", "SELECT 'a', 'b', 'c'") == 1
