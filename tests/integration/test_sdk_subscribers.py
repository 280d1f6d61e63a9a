"""The SDK's subscribers on Apache Kafka: what a killed one had is told again, and a table follows merges."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.sandbox import KafkaBroker
from deploy.sdk import JourneyStates, JourneyTable, Signals
from schemas import topics
from schemas.encoding.codec import encode
from schemas.keys import profile_key
from schemas.profile_ids import own_profile
from streams.identity.policy.load import load
from tests.integration.written import SECRET, Log
from tests.support.ids import named_id
from tests.support.kafka_records import signal as signal_record

pytestmark = [pytest.mark.sandbox, pytest.mark.kafka]

PEOPLE = 40
#: Does one thing for each change: a line in a file. It kills itself at the tenth, after its effect and before its
#: commit; with "early" it commits before the effect, as nobody should, and kills itself between the two.
SUBSCRIBER = """
import os, signal, sys
from deploy.sdk import JourneyStates
path, store, arm, least, dies = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5] == "dies"
done = 0
with JourneyStates(group=arm, store=store) as states, open(path, "a") as effects:
    while True:
        change = states.take(60 if done < least else 2)
        if change is None:
            break
        done += 1
        if arm == "early":
            states.done()
            states.commit()
            if dies and done == 10:
                os.kill(os.getpid(), signal.SIGKILL)
        print(change.id, file=effects, flush=True)
        if dies and done == 10:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def log(kafka: KafkaBroker) -> Iterator[Log]:
    found = Log(kafka)
    yield found
    found.close()


def run(log: Log, effects: Path, store: Path, arm: str, least: int, fate: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", SUBSCRIBER, str(effects), str(store), arm, str(least), fate], timeout=180, text=True,
        env={**os.environ, **log.settings.to_env(), "PYTHONPATH": str(Path.cwd())}, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


@pytest.mark.parametrize("arm", ["late", "early"])
def test_a_subscriber_killed_between_effect_and_commit_repeats_and_one_that_commits_first_loses(
    log: Log, tmp_path: Path, arm: str
) -> None:
    for number in range(PEOPLE):
        log.state(f"p{number}", 1)
    effects = tmp_path / "effects"
    assert run(log, effects, tmp_path / "store", arm, 10, "dies") == -signal.SIGKILL
    assert run(log, effects, tmp_path / "store", arm, PEOPLE - 10, "lives") == 0
    told = effects.read_text().split()
    wanted = {f"default/p{number}:1" for number in range(PEOPLE)}
    if arm == "late":
        assert set(told) == wanted
        assert len(told) <= PEOPLE + 10, "only what was not committed is told again"
    else:
        assert len(wanted - set(told)) == 1, "control: the change between commit and effect is lost"


def test_a_group_tells_no_lower_version_and_no_repeat_and_goes_on_after_a_restart(
    log: Log, tmp_path: Path
) -> None:
    def told(store: Path | None, least: int) -> list[tuple[str, int, bool]]:
        found: list[tuple[str, int, bool]] = []
        with JourneyStates(log.settings, group="desk", store=store) as states:
            while (change := states.take(60 if len(found) < least else 1)) is not None:
                found.append((change.profile_id, change.version, change.erased))
            states.done()
        return found

    log.state("a", 5)
    log.state("a", 3)
    log.state("a", 5)
    log.state("b", 1)
    assert sorted(told(tmp_path / "store", 2)) == [("a", 5, False), ("b", 1, False)]
    log.state("a", 4)
    log.write(topics.JOURNEY_STATES, profile_key("default", "b"), None, 2)
    log.state("a", 6)
    # one without the store learns from the topic what the group was told
    assert sorted(told(None, 2)) == [("a", 6, False), ("b", 2, True)]
    log.state("b", 1)
    log.state("a", 7)
    assert told(tmp_path / "store", 1) == [("a", 7, False)]


@pytest.mark.soak
def test_two_members_share_the_work_and_a_retraction_comes_after_its_raise_wherever_it_is_told(
    log: Log,
) -> None:
    def write(version: int, status: str) -> None:
        for number in range(10):
            record: dict[str, Any] = {
                **signal_record(f"s{number}", version, status),
                "profile_id": f"p{number}",
            }
            log.write(
                topics.JOURNEY_SIGNALS, profile_key("default", f"p{number}"), encode("JourneySignal", record)
            )

    def take(members: list[Signals], count: int) -> dict[str, list[bool]]:
        found: dict[str, list[bool]] = {}
        deadline = time.monotonic() + 120
        while sum(map(len, found.values())) < count and time.monotonic() < deadline:
            for member in members:
                change = member.take(0.2)
                if change is not None:
                    found.setdefault(change.signal_id, []).append(change.raised)
        return found

    first, second = Signals(log.settings, group="mail"), Signals(log.settings, group="mail")
    with first:
        write(10, "RAISED")
        told = take([first], 10)
        assert told == {named_id(f"s{number}"): [True] for number in range(10)}
        with second:
            assert second.take(0.1) is None
            write(12, "RETRACTED")
            again = take([first, second], 10)
    assert {name: holds[-1] for name, holds in again.items()} == {
        named_id(f"s{number}"): False for number in range(10)
    }


def test_a_table_answers_by_raw_address_and_by_an_id_from_before_the_merge_and_its_store_goes_on(
    log: Log, tmp_path: Path
) -> None:
    (stored,) = load("", SECRET.encode(), "k1").usable([{"type": "email", "value": "Ann@Example.org"}])
    own = own_profile("default", (stored["type"], stored["value"]))
    log.state(own, 1)
    with JourneyTable(log.settings, store=tmp_path) as table:
        table.wait()
        before = table.get_by_identifier("email", " ANN@example.org ")
        assert before is not None
        assert before["profile_id"] == own
        log.own(dict(stored), "survivor", 2)
        log.state("survivor", 3)
        log.write(topics.JOURNEY_STATES, profile_key("default", own), None, 4)
        deadline = time.monotonic() + 30
        while (found := table.get(own)) is None or found["profile_id"] == own:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert found["profile_id"] == table.survivor(own) == "survivor"
        assert table.get_by_identifier("email", "ann@example.org") == found
        assert table.get("nobody") is None
        assert table.problem is None
    with JourneyTable(log.settings, store=tmp_path) as table:
        table.wait()
        assert table.get(own) == found


def test_a_program_as_the_document_has_it_ends_cleanly_by_ctrl_c(log: Log) -> None:
    script = (
        "from deploy.sdk import JourneyStates\n"
        "with JourneyStates(group='desk') as states:\n"
        "    for change in states:\n"
        "        print(change.id, flush=True)\n"
    )
    log.state("a", 1)
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, **log.settings.to_env(), "PYTHONPATH": str(Path.cwd())},
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "default/a:1\n"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert errors.rstrip().endswith("KeyboardInterrupt")
