"""Play a fault, once, and say what came of it."""

from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any

from tests.faults.arena import Arena, Scale, trial
from tests.faults.catalogue import Fault
from tests.faults.oracle import Verdict, judge

#: Published in a short form.
SHORT_EVENTS = 500


@dataclass(frozen=True)
class Outcome:
    """One trial."""

    fault: int
    title: str
    seed: int
    control: str  #: which protection was off; empty for none
    verdict: Verdict | None  #: None if the deployment never came to rest
    recoveries: list[float] = field(default_factory=list)
    restarts: int = 0
    crashes: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    raw: bool = False

    @property
    def harmed(self) -> bool:
        """Whether something is lost, twice, wrong or stuck."""
        verdict = self.verdict
        if verdict is None or self.problems or not verdict.right:
            return True
        return self.raw and verdict.raw_duplicates > 0

    @property
    def good(self) -> bool:
        """What was to be shown was shown: no harm, or with a protection off, harm."""
        return self.harmed == bool(self.control)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "harmed": self.harmed, "good": self.good}


def play(
    arena: Arena,
    fault: Fault,
    seed: int,
    *,
    control: bool = False,
    scale: Scale = Scale.USUAL,
    events: int = 0,
) -> Outcome:
    """One trial of a fault, or of its control arm."""
    arm = fault.control if control else None
    started = monotonic()
    verdict = None
    short = scale is Scale.SHORT
    with trial(
        arena, seed, events or (SHORT_EVENTS if short else fault.events),
        workers=fault.short_workers if short else fault.workers,
        worker=(arm and arm.worker) or fault.worker, loader=(arm and arm.loader) or fault.loader,
        control=control, scale=scale,
    ) as running:  # fmt: skip
        try:
            fault.play(running)
            arena.calm()
            running.wait_idle()
            verdict = judge(running)
        except AssertionError as error:
            running.problems.append(str(error))
        return Outcome(
            fault.number, fault.title, seed, arm.without if arm else "", verdict, running.recoveries,
            running.restarts,
            dict(running.crashes),
            monotonic() - started, running.notes, running.problems, bool(arm and arm.raw),
        )  # fmt: skip
