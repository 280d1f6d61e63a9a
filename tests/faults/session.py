"""A session: many trials on one warm arena. It may be stopped at any time, and goes on where it was.

Kafka and ClickHouse stay up; topics, tables and processes are new for each trial. Each outcome is appended to a file at
once, and a trial whose outcome is there is not played again.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from tests.faults.arena import Arena, Scale
from tests.faults.catalogue import Control, Fault
from tests.faults.suite import Outcome, play


@dataclass(frozen=True)
class Run:
    """One trial to play."""

    fault: Fault
    seed: int
    control: Control | None
    scale: Scale
    events: int = 0  #: 0: the fault's own number

    @property
    def key(self) -> tuple[object, ...]:
        """What no other trial has in common with it."""
        return (
            self.fault.number,
            self.seed,
            self.control.without if self.control else "",
            self.scale,
            self.events,
        )


def plan(
    faults: Iterable[Fault], seeds: Iterable[int], scale: Scale, *, runs: bool = True, controls: bool = True,
    events: int = 0,
) -> Iterator[Run]:  # fmt: skip
    """Every fault and its controls with every seed; all of one seed first, so that a part is a part of everything."""
    faults = list(faults)
    for seed in seeds:
        for fault in faults:
            if runs:
                yield Run(fault, seed, None, scale, events)
            for control in fault.controls if controls else ():
                yield Run(fault, seed, control, scale, events)


def known(file: Path | None) -> list[Outcome]:
    """The outcomes in a file of results, a half-written last line left out."""
    if file is None or not file.exists():
        return []
    found = []
    for line in file.read_text().splitlines():
        try:
            found.append(Outcome.from_dict(json.loads(line)))
        except json.JSONDecodeError:
            continue
    return found


def left(runs: Iterable[Run], outcomes: Iterable[Outcome]) -> list[Run]:
    """The trials without an outcome."""
    done = {(one.fault, one.seed, one.control, one.scale, one.events) for one in outcomes}
    return [run for run in runs if run.key not in done]


#: How often a trial is begun that the harness cannot play.
ATTEMPTS = 2
#: Starts the servers; makes them anew after a trial that left them in no order.
Arenas: TypeAlias = Callable[[], AbstractContextManager[Arena]]


def play_all(
    runs: list[Run],
    arenas: Arenas,
    file: Path | None,
    say: Callable[[Outcome, str], object],
    minutes: float = 0,
) -> list[Outcome]:
    """Play trials, append their outcomes to the file, and tell them with what is left to do; `minutes`: 0 for all.

    A trial that ends in an error of the harness, as when a server dies of itself, is played once more on new servers.
    If that fails, too, it is told as harmed and not written down: the next session plays it again. After a trial whose
    data is kept, the next one gets new servers.
    """
    outcomes: list[Outcome] = []
    began = time.monotonic()
    with ExitStack() as servers:
        where: Arena | None = None
        for number, run in enumerate(runs, 1):
            if minutes and time.monotonic() - began > minutes * 60:
                break
            errors: list[str] = []
            outcome = None
            while outcome is None:
                try:
                    where = where or servers.enter_context(arenas())
                    outcome = play(
                        where, run.fault, run.seed, control=run.control, scale=run.scale, events=run.events
                    )
                    outcome.notes.extend(f"played again after {error}" for error in errors)
                except Exception as error:  # noqa: BLE001 (the other trials are worth playing)
                    errors.append(f"{type(error).__name__}: {error}")
                    servers.close()
                    where = None
                    if len(errors) == ATTEMPTS:
                        outcome = _unplayed(run, errors)
            outcomes.append(outcome)
            if file is not None and len(errors) < ATTEMPTS:
                append(file, outcome)
            if outcome.kept:
                servers.close()
                where = None
            each = (time.monotonic() - began) / number
            say(outcome, f"{number} of {len(runs)}, {each * (len(runs) - number) / 60:.0f} minutes left")
    return outcomes


def _unplayed(run: Run, errors: list[str]) -> Outcome:
    return Outcome(
        run.fault.number, run.fault.title, run.seed, run.control.without if run.control else "", None,
        problems=[f"the harness: {error}" for error in errors], scale=run.scale, events=run.events,
    )  # fmt: skip


def append(file: Path, outcome: Outcome) -> None:
    """Append an outcome to a file of results."""
    # what was stopped while it wrote has left a half line
    file.parent.mkdir(parents=True, exist_ok=True)
    torn = file.exists() and file.read_bytes()[-1:] not in (b"", b"\n")
    with file.open("a") as results:
        results.write(("\n" if torn else "") + json.dumps(outcome.to_dict()) + "\n")
