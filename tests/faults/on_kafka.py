"""Faults of the broker, of the way there, and of single topics."""

import time
from contextlib import ExitStack

from schemas import topics
from tests.faults.arena import Trial
from tests.faults.kafka import configured

#: A single broker cannot give two in-sync replicas: whoever waits for all of them waits.
UNAVAILABLE = {"min_insync_replicas": "2"}
MEMORY_LIMIT_MIB = 1024


def restart(trial: Trial) -> None:
    """7: the broker is restarted in order, then by kill -9."""
    trial.feed()
    trial.wait_loading()
    kafka = trial.arena.kafka
    kafka.stop()
    kafka.start()
    trial.recovered()
    trial.sleep(1)
    kafka.kill()
    kafka.start()
    trial.recovered()


def down_for_minutes(trial: Trial) -> None:
    """8: the broker cannot be reached; memory stays bounded."""
    trial.feed()
    trial.wait_loading()
    trial.arena.kafka_proxy.refuse()
    before = trial.memory()
    trial.sleep(180 if trial.long else 20)
    during = trial.memory()
    trial.arena.kafka_proxy.calm()
    trial.recovered()
    trial.notes.append(f"MiB before {_listed(before)}, at the end of the outage {_listed(during)}")
    for name, used in during.items():
        if used > MEMORY_LIMIT_MIB:
            trial.problems.append(f"{name} uses {used} MiB")


def late_acknowledgements(trial: Trial) -> None:
    """9: every answer of the broker comes half a second late."""
    trial.feed()
    trial.wait_loading()
    trial.arena.kafka_proxy.delay(0.5)
    trial.sleep(10)
    trial.arena.kafka_proxy.calm()
    trial.recovered()


def stalled(trial: Trial) -> None:
    """The way to the broker stalls for longer than a session, connections open."""
    trial.feed()
    trial.wait_loading()
    trial.arena.kafka_proxy.stall()
    trial.sleep(9)
    trial.arena.kafka_proxy.calm()
    trial.recovered()


def poisoned(trial: Trial) -> None:
    """16: one record in a hundred cannot be read, then for a while every one."""
    half = len(trial.events) // 2
    trial.feed(trial.events[:half], poison=0.01)
    trial.wait_loading()
    trial.join()
    with trial.producer() as send:
        for _ in range(500):
            send(None)
    trial.recovered()
    trial.feed(trial.events[half:])
    trial.join()
    trial.notes.append(f"{trial.poison} dead letters")


def dead_letters_unavailable(trial: Trial) -> None:
    """17: the dead-letters topic takes nothing: what follows a poison record waits, nothing is dropped."""
    settings = trial.live.settings
    with configured(settings, topics.DEAD_LETTERS.name, **UNAVAILABLE):
        trial.feed(poison=0.02)
        trial.wait(lambda: trial.poison >= 3, "poison")
        trial.sleep(8)
        shown = trial.live.query("SELECT count() FROM dead_letters FINAL")[0][0]
        if shown:
            trial.problems.append(f"{shown} dead letters went through a topic that takes none")
        lifted_at = time.monotonic()
    trial.recovered(lifted_at)


def failing_sends(trial: Trial) -> None:
    """19: journey-inputs, then a changelog, is unavailable; then a changelog refuses every record."""
    settings = trial.live.settings
    trial.feed()
    trial.wait_loading()
    for topic in (topics.JOURNEY_INPUTS, topics.JOURNEYS_CHANGELOG):
        with configured(settings, topic.name, **UNAVAILABLE):
            trial.sleep(5)
        trial.recovered()
    with ExitStack() as stack:
        for topic in topics.CHANGELOGS:
            stack.enter_context(configured(settings, topic.name, max_message_bytes="10"))
        before = trial.restarts
        trial.wait(lambda: trial.restarts > before, "a crash on a refused changelog record", 60)
    trial.recovered()


def _listed(memory: dict[str, int]) -> str:
    return ", ".join(f"{name} {used}" for name, used in memory.items())
