"""The recent path of one journey, for the predictions: its standing, and its touchpoints with a pending outcome."""

from collections import deque
from typing import Any, Final

from schemas.catalogue import UNKNOWN, Catalogue
from schemas.records import Touchpoint
from schemas.touchpoint.events import event_key
from streams.journeys.prediction.risk import HORIZON_MS, Risk, Standing
from streams.journeys.prediction.transitions import Origin, Transitions
from streams.journeys.state.values.bounded import put
from streams.journeys.state.values.decay import DecayedSum
from streams.journeys.state.values.stamps import Stamp

#: Touchpoints of one journey with a pending outcome, so that a bot has no more votes.
MAX_WAITING: Final = 32
#: Limits of recent friction (half-life 24 hours) between the buckets low, some and high.
FRICTION_BUCKETS: Final = (0.5, 3.0)
_FRICTION_HALF_LIFE_MS: Final = 24 * 3_600_000


class RecentPath:
    """The recent path of one journey, given its touchpoints in fold order. Its size is bounded."""

    __slots__ = ("_acts", "_friction", "_issues", "_risks", "last", "stage", "type")

    def __init__(self, *, with_risk: bool = True) -> None:
        """`with_risk` false: it does not remember what only the risk needs."""
        self.last: Stamp = (-(2**63), "")
        self.stage = ""
        self.type = ""  #: "" when the catalogue does not name it
        self._friction = DecayedSum(_FRICTION_HALF_LIFE_MS)
        self._issues: dict[str, bool] = {}  #: whether it is open
        self._acts: list[Origin] = []  #: of the touchpoints since the last inbound one
        #: (UTC ms, standing) of the touchpoints since the last service contact
        self._risks: deque[tuple[int, Standing]] | None = deque() if with_risk else None

    def dump(self) -> tuple[Any, ...]:
        """Everything, in numbers, strings, lists and dicts: for `load`."""
        risks = None if self._risks is None else [(at, tuple(standing)) for at, standing in self._risks]
        friction = self._friction.dump()
        return self.last, self.stage, self.type, friction, self._issues, self._acts, risks

    @classmethod
    def load(cls, dumped: tuple[Any, ...]) -> "RecentPath":
        """Back from `dump`."""
        path = cls(with_risk=False)
        path.last, path.stage, path.type, friction, path._issues, path._acts, risks = dumped
        path._friction.load(friction)
        if risks is not None:
            path._risks = deque((at, Standing(*standing)) for at, standing in risks)
        return path

    @property
    def origin(self) -> Origin:
        """The origin of the next transition."""
        return self.stage, self.type

    def standing(self) -> Standing:
        """The standing after the newest touchpoint, for the risk."""
        friction = self._friction.value(self.last[0])
        bucket = sum(friction >= limit for limit in FRICTION_BUCKETS)
        return Standing(self.stage, self.type, bucket, any(self._issues.values()))

    def advance(
        self,
        touchpoint: Touchpoint,
        catalogue: Catalogue,
        transitions: Transitions | None = None,
        risk: Risk | None = None,
    ) -> None:
        """Add the next touchpoint: O(1). Mutates `transitions` and `risk`, if given: they learn from it."""
        at = touchpoint["occurred_at"]
        name = catalogue.type_name(touchpoint["type"])
        kind = catalogue.types.get(name, UNKNOWN)
        if kind is UNKNOWN:
            name = ""
        if kind.direction == "inbound":
            if transitions is not None:
                for origin in self._acts:
                    transitions.add(origin, name, at)
            self._acts.clear()
            if kind.component == "service" and kind.effect != "survey":
                self._contact(at, risk)
        self.last = at, event_key(touchpoint)
        self.type = name
        self.stage = kind.stage or self.stage
        if kind.friction:
            self._friction.add(kind.friction, at)
        issue_id = touchpoint["issue_id"]
        decides = kind.effect in ("issue_opened", "issue_solved")
        if issue_id is not None and (decides or (kind.effect != "survey" and issue_id not in self._issues)):
            put(self._issues, issue_id, kind.effect != "issue_solved")
        self._wait(at, risk)

    def _contact(self, at: int, risk: Risk | None) -> None:
        if self._risks is None:
            return
        if risk is not None:
            for before, standing in self._risks:
                if at - before <= HORIZON_MS:
                    risk.hit(standing, before)
        self._risks.clear()

    def _wait(self, at: int, risk: Risk | None) -> None:
        if len(self._acts) < MAX_WAITING:
            self._acts.append(self.origin)
        risks = self._risks
        if risks is None:
            return
        while risks and at - risks[0][0] > HORIZON_MS:
            risks.popleft()
        if len(risks) < MAX_WAITING:
            standing = self.standing()
            risks.append((at, standing))
            if risk is not None:
                risk.observe(standing, at)
