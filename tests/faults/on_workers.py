"""Faults of workers: killed, stopped, replaced, asked to go."""

import signal
import time
from pathlib import Path
from typing import Any

from deploy.sandbox import Process
from schemas import topics
from tests.faults.trial import Trial
from tests.faults.worker_variants import CART
from tests.support.touchpoints import touchpoint

#: So that every partition has some of the people with carts.
PEOPLE = 12
#: Minutes after the beginning of 2026 that no simulated event reaches: only the clock makes a deadline of theirs pass.
LATER = 100 * 24 * 60
STOP_LIMIT = 10.0  #: seconds that a worker may take to go when asked


def kill_at_moments(trial: Trial) -> None:
    """1: kill -9 between a fetch and its effects, and between signals and the changelog. Needs both variants."""
    trial.feed()
    trial.wait_loading()
    for _ in range(trial.of(1, 3)):
        before = trial.aim("before-effects")
        trial.meet("before-effects", before)
        trial.recovered()
    trial.join()
    _kill_after_signals(trial)


def _kill_after_signals(trial: Trial) -> None:
    """Carts are abandoned by the clock, the worker that says so dies, and their orders turn out to be in time."""
    before = trial.aim("before-changelog")
    trial.resting |= {worker.name for worker in trial.live.workers}
    _publish(trial, CART, LATER, "add_to_cart")
    trial.meet("before-changelog", before, quietly=True)
    _publish(trial, "order-", LATER + 1, "order_placed")
    trial.resting.clear()
    trial.recovered()


def _publish(trial: Trial, name: str, minute: int, kind: str) -> None:
    events = [
        touchpoint(f"{name}{person}", minute=minute, type=kind, ids=[("cookie", f"shopper-{person}")])
        for person in range(PEOPLE)
    ]
    trial.events += events
    with trial.producer() as send:
        for event in events:
            send(event)


def kill_with_a_gap(trial: Trial) -> None:
    """3: kill -9 while a fetch waits in the background, and a later one is done. Needs the variant with a gap."""
    before = trial.aim("gap")
    trial.feed()
    trial.meet("gap", before)
    trial.recovered()


def zombie(trial: Trial) -> None:
    """4: SIGSTOP past the session timeout, another takes over, SIGCONT; then the same within a decision.

    Needs the variant that stops before assignments.
    """
    trial.feed()
    trial.wait_loading()
    trial.sleep(1)
    victim = trial.victim()
    stopped_at = time.monotonic()
    victim.signal(signal.SIGSTOP)
    # fail-over: the others show what is published while it is stopped
    trial.recovered(stopped_at)
    trial.sleep(max(0.0, stopped_at + trial.session + 2 - time.monotonic()))
    victim.signal(signal.SIGCONT)
    trial.recovered()
    trial.join()
    trial.wait_idle()
    _assign_late(trial)


def _assign_late(trial: Trial) -> None:
    """Who has decided about identifiers is stopped; they come to another profile; then the old decision goes out."""
    early = [("cookie", "early"), ("email", "early@example.com")]
    late = [("cookie", "late"), ("email", "late@example.com")]
    _publish_one(trial, "met-early", LATER, early)
    trial.recovered()
    before = trial.aim("assignments")
    _publish_one(trial, "met-late", LATER + 10, late)
    trial.wait(lambda: any(map(is_stopped, trial.live.workers)), "a worker that stops in a decision", 60)
    (stopped,) = filter(is_stopped, trial.live.workers)
    trial.recovered()
    _publish_one(trial, "same", LATER + 20, [early[0], late[1]])
    trial.recovered()
    stopped.signal(signal.SIGCONT)
    trial.meet("assignments", before, quietly=True)
    # the old decision is older than what everybody knows by now
    trial.sleep(1)
    _publish_one(trial, "again", LATER + 30, late[:1])
    trial.recovered()


def zombie_at_a_deadline(trial: Trial) -> None:
    """22: SIGSTOP between a deadline and its signal, past the session, and what forbids the signal comes meanwhile.

    On SIGCONT the signal is written ahead, and the successor is killed before it can look. Needs a variant.
    """
    trial.feed()
    trial.wait_loading()
    trial.join()
    trial.wait_idle()
    before = trial.aim("stop")
    trial.aims.aim("deaf")
    _publish(trial, CART, LATER, "add_to_cart")
    trial.wait(lambda: any(map(is_stopped, trial.live.workers)), "a worker that stops at a deadline", 60)
    (stopped,) = filter(is_stopped, trial.live.workers)
    (successor,) = (worker for worker in trial.live.workers if worker is not stopped)
    # before the successor has waited long enough to raise the signal itself
    _publish(trial, "order-", LATER + 1, "order_placed")
    trial.recovered()
    trial.wait_idle()
    stopped.signal(signal.SIGCONT)
    trial.meet("stop", before, quietly=True)
    successor.kill()
    # what it has written ahead, it announces now or never
    trial.sleep(1)
    trial.aims.end("deaf")
    trial.recovered()


def is_stopped(worker: Process) -> bool:
    """Whether SIGSTOP holds a worker."""
    return worker.alive and " T " in Path(f"/proc/{worker.pid}/stat").read_text()


def _publish_one(trial: Trial, name: str, minute: int, ids: list[tuple[str, str]]) -> None:
    event = touchpoint(name, minute=minute, ids=ids)
    trial.events.append(event)
    with trial.producer() as send:
        send(event)


def storm(trial: Trial) -> None:
    """5: one worker, four workers, one worker, again and again while events flow. Needs the variant that notes."""
    trial.feed(rate=trial.of(200, 600))
    trial.wait_loading()
    most = trial.of(3, 4)
    _join_in_the_middle(trial, most)
    for _ in range(trial.of(1, 3)):
        trial.sleep(trial.random.uniform(0, 2))
        goers = trial.random.sample(trial.live.workers, most - 1)
        for worker in goers:
            trial.resting.add(worker.name)
            worker.signal(signal.SIGTERM)
            trial.sleep(trial.random.uniform(0, 1))
        trial.wait(lambda: not any(worker.alive for worker in goers), "SIGTERM")  # noqa: B023 (waited for here)
        trial.sleep(trial.random.uniform(0, 2))
        trial.resting.clear()
    trial.recovered()


def _join_in_the_middle(trial: Trial, most: int) -> None:
    """Workers join while every partition has fetches that are done and not committed, and others that are not done."""
    aims = trial.aims
    trial.aimed += 1
    aims.aim("no-commits")
    trial.recovered()
    aims.aim("hold")
    trial.send_probes()
    partitions = set(range(trial.live.settings.partitions))
    trial.wait(lambda: {note["partition"] for note in aims.notes("held")} >= partitions, "held fetches", 60)
    given_up, begun = len(aims.notes("given-up")), len(aims.notes("begins"))
    for _ in range(most - len(trial.live.workers)):
        trial.live.start_worker()
    # who joins last may get none
    trial.wait(
        lambda: _partitions(aims.notes("begins")[begun:]) >= partitions, "readers of all partitions", 60
    )
    trial.met += len(aims.notes("given-up")) > given_up
    aims.end("hold")
    aims.end("no-commits")


def _partitions(begins: list[dict[str, Any]]) -> set[int]:
    """The partitions of touchpoints that somebody has begun to read."""
    places = (note["place"] for note in begins)
    return {partition for topic, partition in places if topic.endswith(topics.TOUCHPOINTS.name)}


def sigterm_under_load(trial: Trial) -> None:
    """6: SIGTERM while events flow: exit code 0 within ten seconds, three times. Needs the variant that notes."""
    trial.feed()
    trial.wait_loading()
    slowest = 0.0
    for turn in range(trial.of(1, 3)):
        # a process that has not come so far as to handle signals dies of the first one
        trial.sleep(trial.random.uniform(5, 7) if turn else 0.5)
        victim = trial.victim()
        trial.aimed += 1
        trial.aims.aim("no-commits")
        trial.recovered()
        given_up = len(trial.aims.notes("given-up"))
        trial.resting.add(victim.name)
        asked_at = time.monotonic()
        victim.signal(signal.SIGTERM)
        trial.wait(lambda: not victim.alive, "SIGTERM")  # noqa: B023 (waited for here)
        trial.met += len(trial.aims.notes("given-up")) > given_up
        trial.aims.end("no-commits")
        slowest = max(slowest, time.monotonic() - asked_at)
        if victim.returncode != 0 or slowest > STOP_LIMIT:
            trial.problems.append(f"SIGTERM: {victim.ending()} after {slowest:.1f} s: {victim.log_tail(3)}")
        trial.resting.clear()
        trial.recovered(asked_at)
    trial.notes.append(f"slowest end {slowest:.1f} s")
