"""Faults of clocks: a worker's, a broker's and a source's are an hour ahead, then behind. Events happen now."""

import re
import time
from collections.abc import Callable
from functools import partial

from deploy.repair.dead_letters.reading import records
from schemas import topics
from schemas.encoding.codec import decode
from schemas.records import Touchpoint
from schemas.touchpoint.rules import capped
from tests.cluster.arena import ClusterTrial
from tests.cluster.machine import shifted
from tests.cluster.nodes import Node
from tests.faults.oracle import Verdict, judge

HOUR = 3600
#: What a source that is wrong says.
SOURCE = "mobile-app"
#: The clock of a broker so far behind that it refuses what others stamp (message.timestamp.after.max.ms is an hour).
TOO_FAR = HOUR + 300
LOG_APPEND_TIME = 1
_TIME = re.compile(r"^\[?\d{4}-\d\d-\d\d[ T][\d:,.]+\]?")


def worker_ahead_and_behind(trial: ClusterTrial) -> None:
    """One of two workers is an hour ahead, then behind; the other is right."""
    halves = _halves(trial)
    for seconds, events in zip((HOUR, -HOUR), halves, strict=True):
        trial.live.variables["worker-1"] = shifted(seconds, trial.where.folder)
        trial.restart_workers()
        _publish_now(trial, events)
        trial.wait_idle()
    trial.live.variables.clear()
    trial.restart_workers()
    trial.recovered()


def broker_ahead_and_behind(trial: ClusterTrial) -> None:
    """The broker that leads a partition is an hour ahead, then behind; the other two are right."""
    for seconds, events in zip((HOUR, -HOUR), _halves(trial), strict=True):
        _restart_leader(trial, seconds)
        _publish_now(trial, events)
        trial.recovered()
    _restart_leader(trial, 0)
    trial.recovered()


def broker_too_far_behind(trial: ClusterTrial) -> None:
    """A broker over an hour behind refuses what workers write: they say so, and go on when it is right."""
    broker = _restart_leader(trial, -TOO_FAR)
    trial.feed(stamped_now(trial.events, trial.rate))
    trial.wait(lambda: trial.said("imestamp"), "a worker that says what is refused", 90)
    trial.notes.append(sentence(trial, "imestamp"))
    broker.stop(60)
    broker.environment = {}
    broker.start()
    trial.cluster.await_in_sync(trial.live.settings)
    trial.recovered()


def source_ahead_and_behind(trial: ClusterTrial) -> None:
    """One source of several dates its events an hour ahead, then behind; nobody else's deadline passes for that."""
    for shift, events in zip((HOUR, -HOUR), _halves(trial), strict=True):
        _publish_now(trial, events, partial(_by_a_wrong_clock, ms=shift * 1000))
    trial.recovered()


def _by_a_wrong_clock(event: Touchpoint, ms: int) -> Touchpoint:
    if event["source"] != SOURCE:
        return event
    return {**event, "occurred_at": event["occurred_at"] + ms, "received_at": event["received_at"] + ms}


def _halves(trial: ClusterTrial) -> tuple[list[Touchpoint], list[Touchpoint]]:
    middle = len(trial.events) // 2
    return trial.events[:middle], trial.events[middle:]


def _publish_now(
    trial: ClusterTrial,
    events: list[Touchpoint],
    change: Callable[[Touchpoint], Touchpoint] = lambda one: one,
) -> None:
    trial.feed([change(event) for event in stamped_now(events, trial.rate)])
    trial.join()


def stamped_now(events: list[Touchpoint], rate: float) -> list[Touchpoint]:
    """The same events as if each happened when it is published; exact copies stay exact."""
    began = time.time() * 1000
    at: dict[tuple[str, str], int] = {}
    for number, event in enumerate(events):
        at.setdefault((event["source"], event["event_id"]), int(began + number * 1000 / rate))
    return [
        {**event, "occurred_at": now, "received_at": now}
        for event in events
        for now in (at[event["source"], event["event_id"]],)
    ]


def _restart_leader(trial: ClusterTrial, seconds: int) -> Node:
    """Restart the broker that leads a partition of touchpoints with another clock. Returns it."""
    for broker in trial.cluster.brokers:
        if broker.environment:
            broker.stop(60)
            broker.environment = {}
            broker.start()
            trial.cluster.await_in_sync(trial.live.settings)
    broker = trial.cluster.leader_of(trial.live.settings, topics.TOUCHPOINTS.name)
    if not seconds:
        return broker
    broker.stop(60)
    broker.environment = shifted(seconds, trial.where.folder)
    broker.start()
    trial.cluster.await_in_sync(trial.live.settings)
    return broker


def sentence(trial: ClusterTrial, word: str) -> str:
    """The newest line of a worker's or the loader's log that has a word, without its time."""
    for child in trial.children():
        for line in reversed(child.log_tail(2000).splitlines()):
            if word in line:
                return f"{child.name} says: {_TIME.sub('', line).strip()[:240]}"
    return ""


def judge_by_the_log(trial: ClusterTrial, never: tuple[str, ...]) -> Verdict:
    """Compare with a replay of the touchpoints in the log, each received at the latest when a broker stamped it."""
    settings = trial.live.settings
    published = {(event["source"], event["event_id"]) for event in trial.events}
    logged: list[Touchpoint] = []
    unstamped = 0
    for record in records(settings, settings.topic(topics.TOUCHPOINTS.name)):
        _, event = decode(record.value)
        unstamped += record.timestamp_type != LOG_APPEND_TIME
        logged.append(capped(event, record.timestamp))  # type: ignore[arg-type]
    missing = published - {(event["source"], event["event_id"]) for event in logged}
    if missing:
        trial.problems.append(f"{len(missing)} touchpoints that were confirmed are not in the log")
    if unstamped:
        trial.problems.append(f"{unstamped} records of touchpoints have no stamp of a broker")
    trial.events[:] = logged
    return judge(trial, never)
