"""Faults of the workers' state, which is what their changelogs say."""

import time

from deploy.kafka_admin.topics import create_topics
from deploy.repair.backfill.offsets import apply, plan
from deploy.repair.dead_letters.reading import records
from schemas import topics
from schemas.errors import TouchlineError
from streams.journeys.changelog_keys import Kind
from tests.faults.kafka import delete_topics, produce
from tests.faults.trial import Trial


def stale_corrupt_wiped(trial: Trial) -> None:
    """18: an old record comes back in a changelog; then all changelogs are lost; then one holds what is no record."""
    half = len(trial.events) // 2
    trial.feed(trial.events[:half])
    trial.wait_idle()
    _stale(trial)
    trial.feed(trial.events[half:])
    _wiped(trial)
    trial.wait_idle()
    _corrupt(trial)


def _stale(trial: Trial) -> None:
    """What a zombie would write: touchpoints that were held long ago, as they stood then."""
    settings = trial.live.settings
    topic = topics.JOURNEYS_CHANGELOG.name
    old = [r for r in records(settings, settings.topic(topic)) if Kind.ENTRY in r.key and r.value is not None]
    for record in trial.random.sample(old, min(20, len(old))):
        produce(settings, topic, record.partition, record.key, record.value)
    _restart_all(trial)
    trial.recovered()


def _wiped(trial: Trial) -> None:
    """The changelogs are gone; `touchline backfill` reads again what built them."""
    settings = trial.live.settings
    _stop_all(trial)
    delete_topics(settings, [topic.name for topic in topics.CHANGELOGS])
    create_topics(settings)
    moves = plan(settings, 0, {topics.WORKER_GROUP}, set())
    deadline = time.monotonic() + 20
    while True:
        try:
            apply(settings, moves)
            break
        except TouchlineError:
            assert time.monotonic() < deadline, "the group does not become empty"
            time.sleep(0.5)
    trial.resting.clear()
    trial.recovered()


def _corrupt(trial: Trial) -> None:
    """A worker refuses a changelog that it cannot apply: it must not go on with a part of its state."""
    settings = trial.live.settings
    _stop_all(trial)
    produce(settings, topics.JOURNEYS_CHANGELOG.name, 0, b"default/nobody/e/x", b"\xc3\x01 no record")
    worker = trial.live.workers[0]
    committed = _committed(trial)
    worker.start()
    trial.wait(lambda: not worker.alive, "the worker refuses", 60)
    if worker.returncode != 1:
        trial.problems.append(f"on a corrupt changelog the worker {worker.ending()}")
    if _committed(trial) != committed:
        trial.problems.append("a worker went on with a part of its state")
    said = worker.log_tail(1)
    if "the changelog record at" not in said:
        trial.problems.append(f"on a corrupt changelog the worker says: {said}")


def _committed(trial: Trial) -> list[int]:
    backlogs = trial.live.backlogs() or {}
    return [backlog.done for backlog in backlogs.get(topics.WORKER_GROUP, [])]


def _stop_all(trial: Trial) -> None:
    for worker in trial.live.workers:
        trial.resting.add(worker.name)
        worker.stop()


def _restart_all(trial: Trial) -> None:
    _stop_all(trial)
    trial.resting.clear()
