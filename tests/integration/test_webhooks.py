"""Webhooks on a real Kafka with a real receiver: nothing is lost or done twice when either is killed."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.kafka_admin.client import admin
from deploy.ports import free_port, listens
from deploy.sandbox import KafkaBroker, Process
from schemas.topics import WEBHOOKS_CHANGELOG
from tests.integration.parts import TOUCHLINE
from tests.integration.webhooking import CONFIG, Hooks, a_signal, a_state, hooks, told, wait
from tests.support.ids import named_id
from tests.support.webhook_receiver import received
from tests.support.webhooks import SECRET

pytestmark = [pytest.mark.sandbox, pytest.mark.kafka]

PEOPLE = 60


def raises(first: int, last: int) -> list:
    return [a_signal(f"p{n}", f"s{n}", "RAISED", 1) for n in range(first, last)]


def retractions(first: int, last: int) -> list:
    return [a_signal(f"p{n}", f"s{n}", "RETRACTED", 2) for n in range(first, last)]


def check_order(running: Hooks) -> None:
    """The effects of one person are in the order of versions."""
    last: dict[str, int] = {}
    for line in running.effects():
        signal = line["body"]["data"]["signal"]
        if signal is None:
            continue
        assert signal["version"] > last.get(signal["profile_id"], -1)
        last[signal["profile_id"]] = signal["version"]


def touchline(running: Hooks, *arguments: str) -> "subprocess.CompletedProcess[str]":
    env = {**os.environ, **running.settings.to_env()}
    return subprocess.run(
        [*TOUCHLINE, "webhooks", *arguments], env=env, capture_output=True, text=True, timeout=60
    )


def test_kills_of_service_and_receiver_lose_nothing_and_repeat_nothing(
    kafka: KafkaBroker, tmp_path: Path
) -> None:
    with hooks(kafka, tmp_path, pause=0.02) as running:
        running.start_receiver()
        service = running.start_service("--from-start")
        running.publish(raises(0, PEOPLE))
        wait(lambda: len(running.effects()) > PEOPLE // 3, running)
        service.kill()
        running.publish(retractions(0, PEOPLE // 2))
        service.start()
        wait(lambda: len(running.effects()) > PEOPLE // 2, running)
        running.receiver.kill()
        running.publish(raises(PEOPLE, PEOPLE + 10))
        running.start_receiver()
        holds = {f"s{n}": "RETRACTED" if n < PEOPLE // 2 else "RAISED" for n in range(PEOPLE + 10)}
        wait(lambda: running.settled(holds), running, pause=1)

        found = told(running.effects())
        for n in range(PEOPLE + 10):
            # retracted while the service was away: told of both, or of the retraction alone if the raise was not tried
            fits = (["RAISED", "RETRACTED"], ["RETRACTED"], []) if n < PEOPLE // 2 else (["RAISED"],)
            assert found.of(f"s{n}") in fits, (n, found.of(f"s{n}"))
        check_order(running)
        shown = json.loads(touchline(running, "status", "--json").stdout)
        assert shown[0]["pending"] == shown[0]["dead"] == 0


def outage(kafka: KafkaBroker, folder: Path, *, lose_changelog: bool) -> Hooks:
    """Signals are read while the receiver is away; the service is killed; both come back."""
    with hooks(kafka, folder) as running:
        service = running.start_service("--from-start")
        running.publish(raises(0, 20))
        wait(
            lambda: len(running.outbox()) == 20 and any(one["attempts"] for one in running.outbox()), running
        )
        service.kill()
        if lose_changelog:
            with admin(running.settings) as client:
                client.delete_topics([running.settings.topic(WEBHOOKS_CHANGELOG.name)])
            running.create(WEBHOOKS_CHANGELOG)
        running.start_receiver()
        service.start()
        running.publish(raises(20, 21))
        wait(lambda: told(running.effects()).of("s20"), running)
        wait(lambda: running.settled({"s20": "RAISED"}), running, pause=1)
        return running


@pytest.mark.soak
def test_what_was_read_and_not_delivered_outlives_a_kill_and_without_the_changelog_does_not(
    kafka: KafkaBroker, tmp_path: Path
) -> None:
    for name, lose in (("kept", False), ("lost", True)):
        (tmp_path / name).mkdir()
        found = told(outage(kafka, tmp_path / name, lose_changelog=lose).effects())
        assert len(found) == (1 if lose else 21), "the control arm loses what was read before the kill"


@pytest.mark.soak
def test_consent_that_is_withdrawn_while_the_receiver_is_away_counts(
    kafka: KafkaBroker, tmp_path: Path
) -> None:
    with hooks(kafka, tmp_path) as running:
        running.start_service("--from-start")
        granted, revoked = ({"marketing": one} for one in ("GRANTED", "REVOKED"))
        running.publish(a_state(f"q{n}", 1, consent=granted) for n in range(10))
        running.publish(a_signal(f"q{n}", f"c{n}", "RAISED", 1, kind="quote_unanswered") for n in range(10))
        wait(lambda: len([one for one in running.outbox() if one["attempts"]]) >= 5, running, pause=1)
        running.publish(a_state(f"q{n}", 2, consent=revoked) for n in range(5))
        wait(
            lambda: len([one for one in running.outbox() if one["reason"] == "CONSENT"]) == 5,
            running,
            pause=1,
        )
        running.start_receiver()
        wait(lambda: running.settled({f"c{n}": "RAISED" for n in range(10)}), running, pause=1)

        assert set(told(running.effects())) == {named_id(f"c{n}") for n in range(5, 10)}


@pytest.mark.soak
def test_changes_of_a_state_are_told_and_the_first_value_is_not(kafka: KafkaBroker, tmp_path: Path) -> None:
    with hooks(kafka, tmp_path) as running:
        running.start_receiver()
        running.publish([a_state("p1", 1, stage="intent")])
        service = running.start_service()
        running.publish([a_state("p1", 2, stage="purchase")])
        wait(lambda: len(running.effects()) == 1, running)
        service.kill()
        running.publish([a_state("p1", 3, stage="purchase"), a_state("p1", 4, stage="service")])
        service.start()
        wait(lambda: len(running.effects()) == 2, running)

        changes = [line["body"]["data"]["change"] for line in running.effects()]
    assert changes == [
        {"field": "stage", "value": "purchase", "before": "intent"},
        {"field": "stage", "value": "service", "before": "purchase"},
    ]


@pytest.mark.soak
def test_two_instances_share_the_work_and_either_takes_over_when_the_other_dies(
    kafka: KafkaBroker, tmp_path: Path
) -> None:
    with hooks(kafka, tmp_path, pause=0.02) as running:
        running.start_receiver()
        first = running.start_service("--from-start")
        running.publish(raises(0, 100))
        wait(lambda: len(running.effects()) > 20, running)
        running.start_service("--from-start")
        running.publish(raises(100, 300))
        wait(lambda: len(running.effects()) > 150, running)
        first.kill()
        running.publish(retractions(0, 50))
        wait(
            lambda: running.settled({f"s{n}": "RETRACTED" if n < 50 else "RAISED" for n in range(300)}),
            running,
            pause=1,
        )

        found = told(running.effects())
        assert [found.of(f"s{n}") for n in range(50, 300)] == [["RAISED"]] * 250
        check_order(running)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_kill_of_the_broker_loses_nothing_and_repeats_nothing(
    own_kafka: KafkaBroker, tmp_path: Path
) -> None:
    with hooks(own_kafka, tmp_path, pause=0.02) as running:
        running.start_receiver()
        service = running.start_service("--from-start")
        running.publish(raises(0, PEOPLE))
        wait(lambda: len(running.effects()) > PEOPLE // 3, running)
        running.forget_broker()
        own_kafka.kill()
        time.sleep(8)
        own_kafka.start()
        running.publish(retractions(0, PEOPLE // 2))
        holds = {f"s{n}": "RETRACTED" if n < PEOPLE // 2 else "RAISED" for n in range(PEOPLE)}

        def settled() -> bool:
            if not service.alive:  # as its supervisor does
                service.start()
            return running.settled(holds)

        wait(settled, running, pause=1)

        found = told(running.effects())
        for n in range(PEOPLE):
            fits = (["RAISED", "RETRACTED"], ["RETRACTED"], []) if n < PEOPLE // 2 else (["RAISED"],)
            assert found.of(f"s{n}") in fits, (n, found.of(f"s{n}"))
        check_order(running)


@pytest.mark.soak
def test_a_dead_message_is_replayed_by_the_command(kafka: KafkaBroker, tmp_path: Path) -> None:
    with hooks(kafka, tmp_path) as running:
        right = Path(running.settings.webhooks).read_text()
        Path(running.settings.webhooks).write_text(right.replace("/hook", "/nowhere"))
        running.start_receiver()
        service = running.start_service("--from-start")
        running.publish(raises(0, 3))
        wait(lambda: sum(one["status"] == "DEAD" for one in running.outbox()) == 3, running, pause=1)
        Path(running.settings.webhooks).write_text(right)
        service.stop()
        service.start()
        dry = json.loads(touchline(running, "replay", "--reason", "http_4xx", "--dry-run", "--json").stdout)
        assert dry == {"asked": 0, "matching": 3, "dry_run": True}
        assert running.effects() == []
        done = touchline(running, "replay", "--endpoint", "campaigns")
        assert done.stdout == "3 dead messages: a running service tries again\n"
        wait(lambda: len(running.effects()) == 3, running)


def test_a_sample_is_sent_and_its_answer_printed(tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "w.toml").write_text(CONFIG.format(port=port, secret=SECRET))
    receiver = Process(
        "receiver",
        [
            sys.executable,
            "-m",
            "tests.support.webhook_receiver",
            str(port),
            str(tmp_path / "r.jsonl"),
            SECRET,
        ],
        tmp_path / "receiver.log",
    )
    env = {**os.environ, "TOUCHLINE_WEBHOOKS": str(tmp_path / "w.toml")}
    command = [*TOUCHLINE, "webhooks", "test", "campaigns", "--json"]
    away = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    receiver.start()
    try:
        deadline = time.monotonic() + 30
        while not listens("127.0.0.1", port):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        there = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)
    finally:
        receiver.stop(timeout=5)

    assert (away.returncode, json.loads(away.stdout)["reason"]) == (1, "UNREACHABLE")
    assert there.returncode == 0
    assert json.loads(there.stdout) | {"webhook_id": "", "seconds": 0} == {
        "endpoint": "campaigns", "webhook_id": "", "confirmed": True, "code": 204, "reason": None, "answer": "",
        "seconds": 0,
    }  # fmt: skip
    assert received(tmp_path / "r.jsonl")[0]["body"]["type"] == "signal.raised"
