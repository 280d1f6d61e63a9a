"""Runs one system after the other over the same events, and says what each cost."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from deploy.cli.output import remarks
from schemas.errors import UnavailableError
from schemas.records import Touchpoint
from streams.identity.policy.load import load
from tests.benchmarks.peers.lab import Lab, encoded
from tests.benchmarks.peers.systems import Limit, Peer, System, Touchline, python
from tests.benchmarks.peers.workload import touchpoints

SYSTEMS: Final = ("touchline", "faust", "quix", "kafka-streams", "limit")
#: A process has settled when it takes less than this share of a core.
IDLE_SHARE: Final = 0.05
SETTLE_SECONDS: Final = 20.0


@dataclass(frozen=True)
class Plan:
    """What is asked for. `warm_up` events come first and are not counted."""

    systems: tuple[str, ...]
    events: int
    warm_up: int
    people: int
    repeat: int
    dry: bool = False  #: also run the peers without inserts


@dataclass(frozen=True)
class Cost:
    """What one run of one system took for `events` events."""

    system: str
    events: int
    cpu_seconds: dict[str, float]  #: by process, or by part of one
    wall_seconds: float
    peak_mib: dict[str, int]  #: by process

    @property
    def total_cpu(self) -> float:
        """CPU seconds of all its processes."""
        return sum(self.cpu_seconds.values())


def run(plan: Plan, folder: Path) -> list[Cost]:
    """Every system, `repeat` times. Raises WrongAnswerError; what cannot be built here is left out with a remark."""
    remarks.print(f"{plan.warm_up:,} + {plan.events:,} events of {plan.people:,} people")
    events = touchpoints(plan.warm_up + plan.events, plan.people)
    costs = []
    with Lab(folder) as lab:
        for number in range(plan.repeat):
            for system in _systems(plan, lab, number):
                cost = _measure(system, events, plan.warm_up)
                remarks.print(
                    f"{cost.system}: {cost.total_cpu:.2f} CPU s, {cost.wall_seconds:.1f} s, answers right"
                )
                costs.append(cost)
    return costs


def _systems(plan: Plan, lab: Lab, number: int) -> list[System]:
    found: list[System] = []
    for name in plan.systems:
        if name == "touchline":
            found.append(Touchline(lab))
            continue
        try:
            make = _PEERS[name]
            found += [make(lab, number, insert) for insert in ((True, False) if plan.dry else (True,))]
        except UnavailableError as error:
            remarks.print(f"{name} is left out: {error}")
    return found


def _faust(lab: Lab, number: int, insert: bool) -> Peer:
    command = python("plain_faust", "--loop", "uvloop", "worker", "--loglevel", "info")
    return Peer(lab, "faust", number, command, insert=insert)


def _quix(lab: Lab, number: int, insert: bool) -> Peer:
    if find_spec("quixstreams") is None:
        raise UnavailableError("install it with `pip install -e '.[bench]'`")
    return Peer(lab, "quix", number, python("quix"), insert=insert)


def _kafka_streams(lab: Lab, number: int, insert: bool) -> Peer:
    from tests.benchmarks.peers import kafka_streams

    kafka_streams.build()  # not while anything is measured
    return Peer(
        lab,
        "kafka-streams",
        number,
        kafka_streams.command,
        insert=insert,
        decode=kafka_streams.decode_state,
        compiling=kafka_streams.compiling_seconds,
    )


def _limit(lab: Lab, number: int, insert: bool) -> Peer:
    return Limit(lab, "limit", number, python("limit"), insert=insert)


_PEERS: Final[dict[str, Callable[[Lab, int, bool], Peer]]] = {
    "faust": _faust,
    "quix": _quix,
    "kafka-streams": _kafka_streams,
    "limit": _limit,
}


def _measure(system: System, events: list[Touchpoint], warm_up: int) -> Cost:
    policy = load("", b"0123456789abcdef" * 4, "k1")
    messages = [system.message(event) for event in encoded(events, policy)]
    lab = system.lab
    with system:
        remarks.print(f"{system.name}: warming up")
        lab.publish(system.topic, messages[:warm_up], lambda: None)
        system.wait(warm_up)
        _settle(system)
        remarks.print(f"{system.name}: measuring")
        before: dict[str, float] = {}
        started = 0.0

        def note() -> None:
            nonlocal started
            before.update(system.cpu())
            started = time.monotonic()

        lab.publish(system.topic, messages[warm_up:], note)
        ended = system.wait(len(events))
        after, peaks = system.cpu(), system.peak()
        system.check(events, lab.catalogue)
    spent = {part: round(after[part] - before[part], 2) for part in after}
    return Cost(system.name, len(events) - warm_up, spent, round(ended - started, 2), peaks)


def _settle(system: System) -> None:
    """Wait until nothing is left to do of what came before; a system that is never idle is not waited for."""
    deadline = time.monotonic() + SETTLE_SECONDS
    last = sum(system.cpu().values())
    while time.monotonic() < deadline:
        time.sleep(1)
        now = sum(system.cpu().values())
        if now - last < IDLE_SHARE:
            return
        last = now
