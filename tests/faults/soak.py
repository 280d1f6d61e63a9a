"""Everything at once for a while."""

import signal
import time

from schemas import topics
from tests.faults.kafka import set_config
from tests.faults.trial import CLICKHOUSE, Trial


def soak(trial: Trial) -> None:
    """20: random faults one after the other, while changelogs are compacted as fast as Kafka can."""
    for topic in topics.CHANGELOGS:
        set_config(
            trial.live.settings, topic.name,
            {"segment.ms": "1000", "min.cleanable.dirty.ratio": "0.01", "delete.retention.ms": "1000"},
        )  # fmt: skip
    duration = trial.of(12.0, 60.0, 600.0)
    trial.feed(rate=len(trial.events) / duration)
    trial.wait_loading()
    faults = (
        _kill_worker,
        _kill_loader,
        _freeze,
        _cut,
        _swallow,
        _restart_kafka,
        _restart_clickhouse,
        _delay,
    )
    played: dict[str, int] = {}
    until = time.monotonic() + duration
    while time.monotonic() < until:
        fault = trial.random.choice(faults)
        played[fault.__name__] = played.get(fault.__name__, 0) + 1
        fault(trial)
        # half of them are seen through to the end, the others meet the next one
        if trial.random.random() < 0.5:
            trial.recovered()
        else:
            trial.sleep(trial.random.uniform(0, 2))
    trial.arena.calm()
    trial.recovered()
    trial.notes.append(", ".join(f"{name.strip('_')} x{count}" for name, count in sorted(played.items())))


def _kill_worker(trial: Trial) -> None:
    trial.victim().kill()


def _kill_loader(trial: Trial) -> None:
    if trial.live.loader is not None:
        trial.live.loader.kill()


def _freeze(trial: Trial) -> None:
    victim = trial.victim()
    victim.signal(signal.SIGSTOP)
    trial.sleep(trial.session + 2)
    victim.signal(signal.SIGCONT)


def _cut(trial: Trial) -> None:
    trial.arena.clickhouse_proxy.cut()
    trial.arena.kafka_proxy.cut()


def _swallow(trial: Trial) -> None:
    trial.arena.clickhouse_proxy.swallow_answers()
    trial.sleep(1)
    trial.arena.clickhouse_proxy.cut()
    trial.arena.clickhouse_proxy.calm()


def _restart_kafka(trial: Trial) -> None:
    trial.arena.kafka.kill()
    trial.arena.kafka.start()


def _restart_clickhouse(trial: Trial) -> None:
    trial.resting.add(CLICKHOUSE)
    trial.arena.clickhouse.kill()
    trial.sleep(2)
    trial.arena.clickhouse.start()
    trial.resting.discard(CLICKHOUSE)


def _delay(trial: Trial) -> None:
    trial.arena.kafka_proxy.delay(0.3)
    trial.sleep(4)
    trial.arena.kafka_proxy.calm()
