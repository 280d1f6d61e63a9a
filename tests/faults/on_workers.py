"""Faults of workers: killed, stopped, replaced, asked to go."""

import signal
import time

from tests.faults.arena import Trial

STOP_LIMIT = 10.0  #: seconds that a worker may take to go when asked


def kill_at_random(trial: Trial) -> None:
    """1: kill -9 a worker, three times."""
    trial.feed()
    trial.wait_loading()
    for _ in range(trial.of(1, 3)):
        trial.sleep(trial.random.uniform(0.5, 2.0))
        trial.victim().kill()
        trial.recovered()


def kill_in_a_slow_first_batch(trial: Trial) -> None:
    """3: kill -9 while the first fetch is slow and later ones wait behind it. Needs a slow-first variant."""
    trial.feed(cold=True)
    marker = trial.live.logs / "slow"
    trial.wait(marker.exists, "a slow fetch")
    # longer than a commit interval: what may be committed is committed
    trial.sleep(2.0)
    for worker in trial.live.workers:
        worker.kill()
    trial.recovered()


def zombie(trial: Trial) -> None:
    """4: SIGSTOP past the session timeout, another takes over, SIGCONT."""
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


def storm(trial: Trial) -> None:
    """5: one worker, four workers, one worker, again and again while events flow."""
    trial.feed(rate=trial.of(200, 600))
    trial.wait_loading()
    most = trial.of(3, 4)
    while len(trial.live.workers) < most:
        trial.live.start_worker()
    for _ in range(trial.of(1, 3)):
        trial.sleep(trial.random.uniform(1, 3))
        goers = trial.random.sample(trial.live.workers, most - 1)
        for worker in goers:
            trial.resting.add(worker.name)
            worker.signal(signal.SIGTERM)
            trial.sleep(trial.random.uniform(0, 1))
        trial.wait(lambda: not any(worker.alive for worker in goers), "SIGTERM")  # noqa: B023 (waited for here)
        trial.sleep(trial.random.uniform(0, 2))
        trial.resting.clear()
    trial.recovered()


def sigterm_under_load(trial: Trial) -> None:
    """6: SIGTERM while events flow: exit code 0 within ten seconds, three times."""
    trial.feed()
    trial.wait_loading()
    slowest = 0.0
    for turn in range(trial.of(1, 3)):
        # a process that has not come so far as to handle signals dies of the first one
        trial.sleep(trial.random.uniform(5, 7) if turn else 0.5)
        victim = trial.victim()
        trial.resting.add(victim.name)
        asked_at = time.monotonic()
        victim.signal(signal.SIGTERM)
        trial.wait(lambda: not victim.alive, "SIGTERM")  # noqa: B023 (waited for here)
        slowest = max(slowest, time.monotonic() - asked_at)
        if victim.returncode != 0 or slowest > STOP_LIMIT:
            trial.problems.append(f"SIGTERM: {victim.ending()} after {slowest:.1f} s: {victim.log_tail(3)}")
        trial.resting.clear()
        trial.recovered(asked_at)
    trial.notes.append(f"slowest end {slowest:.1f} s")
