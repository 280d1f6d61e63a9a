"""The local table of present states: a function of the set of records that it was given."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.errors import SettingsError, UnavailableError
from schemas.keys import profile_key
from schemas.profile_ids import contested_profile, own_profile
from schemas.version_bounds import VERSION_SLACK, AheadError, VersionBounds
from sinks.subscribers.table.database import Deployment
from sinks.subscribers.table.entries import FOLLOWED
from sinks.subscribers.table.store import StateTable
from tests.support.ids import person
from tests.support.kafka_records import Consumed
from tests.support.state_log import (
    GARBAGE,
    PARTITIONS,
    account,
    erased,
    highest,
    logs,
    no_state,
    owner,
    placed,
    state,
)

HERE = Deployment()
TOPICS = {kind: topic.name for topic, kind in FOLLOWED.items()}


@contextmanager
def opened(folder: Path, deployment: Deployment = HERE) -> Iterator[StateTable]:
    with closing(StateTable.open(folder / "table.db", deployment)) as table:
        yield table


@pytest.fixture
def table(tmp_path) -> Iterator[StateTable]:
    with opened(tmp_path) as found:
        yield found


def held(table: StateTable) -> dict[tuple[str, bytes], bytes | None]:
    return {(TOPICS[kind], entry.key): entry.value for kind in TOPICS for entry in table.entries(kind)}


def ends(log: list[Consumed]) -> dict[tuple[str, int], int]:
    found: dict[tuple[str, int], int] = {}
    for record in log:
        place = record.topic, record.partition
        found[place] = max(found.get(place, 0), record.offset + 1)
    return found


@given(logs, st.randoms(use_true_random=False), st.integers(1, 7))
@settings(max_examples=25, deadline=None)
def test_whatever_order_and_repetition_the_highest_version_of_each_key_is_held(log, random, size) -> None:
    shuffled = [*log, *random.sample(log, len(log) // 2)]
    random.shuffle(shuffled)
    with tempfile.TemporaryDirectory() as folder:
        for start in range(0, len(shuffled), size):
            with opened(
                Path(folder)
            ) as table:  # opened anew for each batch: nothing is known but what is on disk
                table.apply(shuffled[start : start + size])
        with opened(Path(folder)) as table:
            assert held(table) == highest(log)
            assert table.positions() == ends(log)


@given(logs, st.data())
@settings(max_examples=25, deadline=None)
def test_after_a_crash_anywhere_the_rows_are_those_of_the_offsets_and_reading_on_gives_all(log, data) -> None:
    cut = data.draw(st.integers(0, len(log)))
    broken = data.draw(st.integers(cut, len(log)))

    def failing() -> Iterator[Consumed]:
        yield from log[cut:broken]
        raise ConnectionError

    with tempfile.TemporaryDirectory() as folder, opened(Path(folder) / "first") as table:
        table.apply(log[:cut])
        with pytest.raises(ConnectionError):
            table.apply(failing())
        copy = Path(folder) / "copy"  # of the files of a process that is there no more
        shutil.copytree(Path(folder) / "first", copy)
        with opened(copy) as found:
            known = found.positions()
            read = [one for one in log if one.offset < known.get((one.topic, one.partition), 0)]
            assert held(found) == highest(read)
            assert len(read) == cut
            found.apply([one for one in log if one not in read])
            assert held(found) == highest(log)


@given(logs)
@settings(max_examples=15, deadline=None)
def test_a_batch_tells_what_counts_now_in_the_order_of_the_topics(log) -> None:
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as table:
        told = table.apply(log)
        counted = {(TOPICS[entry.kind], entry.key): entry.value for entry in told.entries}
        assert counted == highest(log)
        assert told.rejected == sum(record.value == GARBAGE.value for record in log)
        for kind in TOPICS:
            for partition in range(PARTITIONS):
                offsets = [
                    one.offset for one in told.entries if (one.kind, one.partition) == (kind, partition)
                ]
                assert offsets == sorted(offsets)
        assert table.apply(log).entries == []


def test_a_disk_that_fails_half_way_leaves_neither_rows_nor_offsets_of_the_batch(tmp_path) -> None:
    with opened(tmp_path) as table:
        table.apply(placed([state("a", 1)]))
        with sqlite3.connect(tmp_path / "table.db") as other:
            other.execute(
                "CREATE TRIGGER full BEFORE INSERT ON accounts BEGIN SELECT RAISE(ABORT, 'disk full'); END"
            )
        before = held(table), table.positions()
        with pytest.raises(sqlite3.Error):
            table.apply(placed([state("a", 1), state("a", 2), account("acme", 1)]))
        assert (held(table), table.positions()) == before


# -- who is who ------------------------------------------------------------------------------------------------------


def own(cookie: str, tenant: str = "default") -> str:
    return own_profile(tenant, ("cookie", cookie))


def test_an_old_profile_id_finds_its_survivor_through_any_number_of_merges_read_in_any_order(table) -> None:
    merged = [owner("a", own("b"), 1), owner("b", own("b"), 1)]
    merged_again = [owner("a", own("c"), 2), owner("b", own("c"), 2), owner("c", own("c"), 2)]
    table.apply(placed([*merged_again, *merged, state(own("c"), 9)]))
    assert table.survivor("default", own("a")) == own("c")
    assert table.survivor("default", own("b")) == own("c")
    assert table.person("default", own("a")).name == own("c")


def test_after_a_split_each_profile_id_finds_where_its_own_identifier_went(table) -> None:
    table.apply(placed([owner("a", own("b"), 1), owner("b", own("b"), 1)]))
    table.apply(placed([owner("a", own("a"), 2), owner("c", own("a"), 2)]))
    assert table.survivor("default", own("a")) == own("a")
    assert table.survivor("default", own("c")) == own("a")
    assert table.survivor("default", own("b")) == own("b")


def test_who_asks_by_the_identifier_of_a_shared_device_gets_what_came_since_it_is_shared(table) -> None:
    shared = contested_profile("default", ("cookie", "tablet"))
    table.apply(
        placed([owner("tablet", own("a"), 1, contested_from=5, contested_profile_id=shared)]),
    )
    assert table.profile_of("default", "cookie", "tablet") == shared
    assert table.survivor("default", own("tablet")) == own("a")
    assert table.survivor("default", shared) == shared
    table.apply(placed([owner("tablet", own("a"), 2)]))  # the link that made it shared was withdrawn
    assert table.survivor("default", shared) == own("a")


def test_an_identifier_without_an_assignment_is_a_profile_of_its_own(table) -> None:
    assert table.profile_of("default", "cookie", "new") == own("new")
    assert table.survivor("default", own("new")) == own("new")
    assert table.survivor("default", "no-uuid") == "no-uuid"


def test_until_the_survivor_has_a_state_the_old_profiles_is_shown(table) -> None:
    table.apply(placed([state(own("a"), 1), owner("a", own("b"), 1)]))
    assert table.person("default", own("a")).name == own("a")
    table.apply(placed([state(own("b"), 2)]))
    assert table.person("default", own("a")).name == own("b")


def test_no_tenant_finds_anothers(table) -> None:
    table.apply(placed([state("a", 1), account("acme", 1), owner("a", own("b"), 1)]))
    assert table.state("shop", person("a")) is None
    assert table.account("shop", "acme") is None
    assert table.assignment("shop", "cookie", "a") is None
    assert table.survivor("shop", own("a")) == own("a")
    assert table.state("default", person("a"))["version"] == 1
    assert table.account("default", "acme")["members"]


def test_an_erased_identifier_has_no_owner_and_its_profile_no_survivor(table) -> None:
    table.apply(placed([owner("a", own("b"), 1), erased("a", 2)]))
    assert table.assignment("default", "cookie", "a") is None
    assert table.survivor("default", own("a")) == own("a")


def test_what_tombstones_left_is_forgotten_in_time_and_leaves_the_file(tmp_path) -> None:
    with opened(tmp_path) as table:
        table.apply(placed([state("visible-1", 1), state("b", 1), no_state("visible-1", 2)]))
        stamped = next(entry.timestamp for entry in table.entries("states"))
        assert table.forget(stamped) == 0  # until then a repetition of version 1 must not bring it back
        assert table.apply(placed([state("visible-1", 1)])).entries == []
        assert table.forget(stamped + 1) == 1
        assert table.counts() == {"states": 1, "accounts": 0, "assignments": 0}
    assert person("visible-1").encode() not in (tmp_path / "table.db").read_bytes()


# -- what is refused -------------------------------------------------------------------------------------------------


def test_a_version_that_cannot_exist_hides_nothing(table) -> None:
    bounds = VersionBounds(0, PARTITIONS)
    bounds.learn({(topics.JOURNEY_INPUTS.name, partition): 10 for partition in range(PARTITIONS)})
    with pytest.raises(AheadError):
        table.batch(bounds).take(placed([state("a", VERSION_SLACK + 10)])[0], certain=False)
    assert table.positions() == {}
    assert table.apply(placed([state("a", VERSION_SLACK + 10)]), bounds).rejected == 1
    assert [one.version for one in table.apply(placed([state("a", 9)]), bounds).entries] == [9]


def test_a_tombstone_of_what_is_no_profile_is_refused(table) -> None:
    bounds = VersionBounds(0, PARTITIONS)
    key = profile_key("default", person("a").upper())
    assert table.apply(placed([no_state("a", 9)._replace(key=key)]), bounds).rejected == 1
    assert held(table) == {}


@pytest.mark.parametrize(
    "forged",
    [
        state("a", 9)._replace(key=profile_key("default", person("b"))),
        no_state("a", 9)._replace(key=b"nothing"),
        no_state("a", 9)._replace(key=b"\xff/\xff"),
        no_state("a", 9)._replace(headers=()),
        erased("a", 9)._replace(key=b"default/cookie:b"),
        owner("a", "p", 9)._replace(value=None),
        account("a", 9)._replace(topic=topics.JOURNEY_STATES.name),
    ],
)
def test_a_record_that_touchline_never_writes_changes_nothing(table, forged) -> None:
    told = table.apply(placed([forged]))
    assert (told.entries, told.rejected, held(table)) == ([], 1, {})
    assert sum(table.positions().values()) == 1


def test_a_file_of_another_deployment_is_built_anew_and_says_so(tmp_path) -> None:
    with opened(tmp_path) as table:
        table.apply(placed([state("a", 1)]))
        assert table.rebuilt == ""
    with opened(tmp_path, Deployment(epoch=1)) as table:
        assert "epoch '0'" in table.rebuilt
        assert (held(table), table.positions()) == ({}, {})
    with opened(tmp_path, Deployment("eu.", 1)) as table:
        assert "topic_prefix" in table.rebuilt
        table.apply(placed([state("a", 1)], prefix="eu."))
        assert table.positions() == ends(placed([state("a", 1)]))


def test_somebody_elses_file_is_never_touched(tmp_path) -> None:
    with closing(sqlite3.connect(tmp_path / "table.db")) as other:
        other.execute("CREATE TABLE mine (x)")
    with pytest.raises(SettingsError, match="another program's"), opened(tmp_path):
        pass
    (tmp_path / "table.db").write_text("a letter to my aunt, which is longer than the header of a database")
    with pytest.raises(SettingsError, match="name another file"), opened(tmp_path):
        pass
    assert (tmp_path / "table.db").read_text().startswith("a letter")


def test_one_process_at_a_time_has_the_file(tmp_path) -> None:
    with opened(tmp_path), pytest.raises(UnavailableError, match="in use"), opened(tmp_path):
        pass
    with opened(tmp_path):
        pass


def test_the_moment_of_being_caught_up_is_kept_and_goes_with_everything_else(tmp_path) -> None:
    with opened(tmp_path) as table:
        assert table.caught_up_at() is None
        table.apply(placed([state("a", 1)]))
        table.note_caught_up(12.5)
    with opened(tmp_path) as table:
        assert table.caught_up_at() == 12.5
        table.clear()
        assert (table.caught_up_at(), table.positions(), held(table)) == (None, {}, {})


def test_what_came_since_an_offset_is_read_by_offset_with_tombstones(table) -> None:
    log = placed([state("a", 1), no_state("a", 2), *[state(name, 3) for name in "bcdefgh"]])
    table.apply(log)
    for partition in range(PARTITIONS):
        mine = [one for one in log if one.partition == partition][-2:]
        start, end = mine[0].offset, mine[-1].offset + 1
        found = table.states_from(partition, start, end, 10)
        assert [(one.offset, one.value) for one in found] == [(one.offset, one.value) for one in mine]
        assert table.states_from(partition, start, end - 1, 10) == found[:-1]
        assert table.states_from(partition, start, end, 1) == found[:1]
