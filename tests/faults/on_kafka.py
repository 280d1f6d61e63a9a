"""Faults of the broker, of the way there, and of single topics."""

import time
from contextlib import ExitStack
from functools import partial

from schemas import topics
from tests.faults.arena import Scale
from tests.faults.kafka import configured
from tests.faults.requests import produce
from tests.faults.trial import Trial

#: No record is as small. (A topic that asks for more replicas than there are gets along with those: KIP-966.)
REFUSING = {"max_message_bytes": "10"}
MEMORY_LIMIT_MIB = 1024


def restart(trial: Trial) -> None:
    """7: the broker is restarted in order, then by kill -9."""
    trial.feed()
    trial.wait_loading()
    kafka = trial.arena.kafka
    if trial.scale > Scale.SHORT:
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
    trial.sleep(trial.of(4, 20, 180))
    during = trial.memory()
    trial.arena.kafka_proxy.calm()
    trial.recovered()
    trial.notes.append(f"MiB before {_listed(before)}, at the end of the outage {_listed(during)}")
    for name, used in during.items():
        if used > MEMORY_LIMIT_MIB:
            trial.problems.append(f"{name} uses {used} MiB")


def late_acknowledgements(trial: Trial) -> None:
    """9: answers to producers never come, though the records are appended; then every answer is half a second late."""
    trial.feed()
    trial.wait_loading()
    proxy = trial.arena.kafka_proxy
    for _ in range(trial.of(3, 6)):
        trial.catch(proxy, partial(proxy.lose_answers, produce, 1), 1)
        trial.sleep(0.3)
    proxy.delay(0.5)
    trial.sleep(trial.of(2, 10))
    proxy.calm()
    trial.recovered()


def stalled(trial: Trial) -> None:
    """The way to the broker stalls for longer than a session, connections open."""
    trial.feed()
    trial.wait_loading()
    trial.arena.kafka_proxy.stall()
    trial.sleep(trial.session + 3)
    trial.arena.kafka_proxy.calm()
    trial.recovered()


def poisoned(trial: Trial) -> None:
    """16: one record in a hundred cannot be read, then for a while every one."""
    half = len(trial.events) // 2
    trial.feed(trial.events[:half], poison=0.01)
    trial.wait_loading()
    trial.join()
    with trial.producer() as send:
        for _ in range(trial.of(50, 500)):
            send(None)
    trial.recovered()
    trial.feed(trial.events[half:])
    trial.join()
    trial.notes.append(f"{trial.poison} dead letters")


def dead_letters_refused(trial: Trial) -> None:
    """17: the dead-letters topic takes nothing: workers stop before they drop one, again and again."""
    settings = trial.live.settings
    with configured(settings, topics.DEAD_LETTERS.name, **REFUSING):
        trial.feed(poison=0.02)
        trial.wait(lambda: trial.restarts >= 2, "workers that stop")
        trial.sleep(trial.of(1, 8))
        shown = trial.live.query("SELECT count() FROM dead_letters FINAL")[0][0]
        if shown:
            trial.problems.append(f"{shown} dead letters went through a topic that takes none")
        lifted_at = time.monotonic()
    trial.recovered(lifted_at)


def failing_sends(trial: Trial) -> None:
    """19: journey-inputs takes nothing, then the changelogs; whatever waits behind it is sent again."""
    settings = trial.live.settings
    trial.feed()
    trial.wait_loading()
    for refusing in ((topics.JOURNEY_INPUTS,), topics.CHANGELOGS):
        with ExitStack() as stack:
            for topic in refusing:
                stack.enter_context(configured(settings, topic.name, **REFUSING))
            before = trial.restarts
            trial.aimed += 1
            trial.send_probes()
            if trial.control:  # it goes on after a refusal, and its producer accepts nothing any more
                trial.sleep(2)
                trial.met += 1
                return
            trial.wait(lambda: trial.restarts > before, "a crash on a refused record", 60)  # noqa: B023 (waited for here)
            trial.met += 1
            trial.sleep(trial.of(0, 3))
            lifted_at = time.monotonic()
        trial.recovered(lifted_at)


def _listed(memory: dict[str, int]) -> str:
    return ", ".join(f"{name} {used}" for name, used in memory.items())
