"""Webhooks on a real Kafka with a real receiver: nothing is lost or done twice when either is killed."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from deploy.kafka_admin.client import admin
from deploy.kafka_admin.topics import create_topics
from deploy.sandbox import KafkaBroker
from schemas.topics import WEBHOOKS_CHANGELOG
from tests.integration.parts import TOUCHLINE
from tests.integration.webhooking import Hooks, a_signal, hooks, told, wait

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
            assert found.get(f"s{n}", []) in fits, (n, found.get(f"s{n}"))
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
            wait(lambda: create_topics(running.settings), running)
        running.start_receiver()
        service.start()
        running.publish(raises(20, 21))
        wait(lambda: "s20" in told(running.effects()), running)
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
