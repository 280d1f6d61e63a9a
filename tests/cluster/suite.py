"""Play a fault of the cluster, once, and say what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from shutil import rmtree
from time import monotonic

from deploy.simulation.population import Population
from tests.cluster.arena import ClusterArena, ClusterTrial, cluster_trial
from tests.faults.arena import Scale
from tests.faults.oracle import Verdict, judge
from tests.faults.suite import Outcome


@dataclass(frozen=True)
class ClusterFault:
    """What is done, with which processes. Its number goes on where those of the fault suite end."""

    number: int
    name: str
    title: str
    play: Callable[[ClusterTrial], None]
    events: int = 3_000
    short_events: int = 600
    workers: int = 2
    started: bool = True  #: whether the trial starts its processes
    #: the people and the time of its events, by their number and the seed; None: as in the fault suite
    population: Callable[[int, int], Population] | None = None
    judge: Callable[[ClusterTrial, tuple[str, ...]], Verdict] = judge
    never: tuple[str, ...] = ()  #: fields of the verdict that must be 0 beside those of every fault


def play(
    where: ClusterArena, fault: ClusterFault, seed: int, *, scale: Scale = Scale.USUAL, events: int = 0
) -> Outcome:
    """One trial of a fault."""
    began = monotonic()
    verdict = None
    size = events or (fault.short_events if scale is Scale.SHORT else fault.events)
    with cluster_trial(
        where, seed, size, workers=fault.workers, scale=scale, started=fault.started,
        population=fault.population(size, seed) if fault.population else None,
    ) as running:  # fmt: skip
        try:
            fault.play(running)
            where.calm()
            running.wait_idle(600)
            verdict = fault.judge(running, fault.never)
        except AssertionError as error:
            running.problems.append(str(error))
    outcome = Outcome(
        fault.number, fault.title, seed, "", verdict, fault.never, recoveries=running.recoveries,
        restarts=running.restarts, crashes=dict(running.crashes), seconds=monotonic() - began, notes=running.notes,
        problems=running.problems, scale=scale, events=events,
    )  # fmt: skip
    if outcome.good:
        rmtree(running.live.logs)
    return outcome


def unplayed(fault: ClusterFault, seed: int, why: str, scale: Scale) -> Outcome:
    """The outcome of a trial that the harness could not play."""
    return Outcome(fault.number, fault.title, seed, "", None, fault.never, problems=[why], scale=scale)
