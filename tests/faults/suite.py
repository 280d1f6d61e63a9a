"""Play a fault, once, and say what came of it."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from shutil import rmtree
from time import monotonic
from typing import Any

from tests.faults.arena import Arena, Scale
from tests.faults.catalogue import Control, Fault
from tests.faults.oracle import Verdict, judge
from tests.faults.trial import Trial, trial

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
    never: tuple[str, ...] = ()  #: fields of the verdict that must be 0 after this fault
    recoveries: list[float] = field(default_factory=list)
    restarts: int = 0
    crashes: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0
    parts: dict[str, float] = field(default_factory=dict)  #: seconds of its parts, by name
    aimed: int = 0  #: moments that the fault was to meet
    met: int = 0  #: of these, how many it met
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    scale: int = Scale.USUAL
    events: int = 0  #: asked for in place of the fault's own number
    kept: str = ""  #: where its data is, if it was harmed with all protections

    @property
    def harmed(self) -> bool:
        """Whether something is lost, twice, wrong or stuck."""
        return _is_harm(self.verdict, self.problems, self.never)

    @property
    def good(self) -> bool:
        """What was to be shown was shown: no harm, or with a protection off, harm. And no moment was missed."""
        return self.harmed == bool(self.control) and self.met == self.aimed

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "harmed": self.harmed, "good": self.good}

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> "Outcome":
        """What `to_dict` was made of."""
        fields = {name: value for name, value in known.items() if name in cls.__dataclass_fields__}
        verdict = known["verdict"]
        fields |= {"verdict": None if verdict is None else Verdict(**verdict), "never": tuple(known["never"])}
        return cls(**fields)


def play(
    arena: Arena,
    fault: Fault,
    seed: int,
    *,
    control: Control | None = None,
    scale: Scale = Scale.USUAL,
    events: int = 0,
) -> Outcome:
    """One trial of a fault, or of a control of it."""
    started = monotonic()
    clock = _Clock()
    verdict, kept = None, ""
    short = scale is Scale.SHORT
    running: Trial
    with trial(
        arena, seed, events or (SHORT_EVENTS if short else fault.events),
        workers=fault.short_workers if short else fault.workers,
        worker=fault.worker + (control.worker if control else ()),
        loader=fault.loader + (control.loader if control else ()),
        control=control is not None, scale=scale,
    ) as running:  # fmt: skip
        clock.ends("start")
        try:
            fault.play(running)
            clock.ends("fault")
            arena.calm()
            running.wait_idle()
            clock.ends("rest")
            verdict = judge(running, fault.never)
            clock.ends("judgement")
        except AssertionError as error:
            running.problems.append(str(error))
            clock.ends("problem")
        if control is None and _is_harm(verdict, running.problems, fault.never):
            kept = running.keep()
    clock.ends("end")
    outcome = Outcome(
        fault.number, fault.title, seed, control.without if control else "", verdict, fault.never,
        recoveries=running.recoveries, restarts=running.restarts, crashes=dict(running.crashes),
        seconds=monotonic() - started, parts=clock.parts, aimed=running.aimed, met=running.met,
        notes=running.notes, problems=running.problems, scale=scale, events=events, kept=kept,
    )  # fmt: skip
    if outcome.good:
        rmtree(running.live.logs)
    return outcome


def _is_harm(verdict: Verdict | None, problems: list[str], never: Collection[str]) -> bool:
    return verdict is None or bool(problems) or not verdict.right(never)


class _Clock:
    """How long the parts of a trial take."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self._since = monotonic()

    def ends(self, part: str) -> None:
        now = monotonic()
        self.parts[part] = round(now - self._since, 2)
        self._since = now
