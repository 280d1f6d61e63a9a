"""The predictions of one partition: a model for each tenant, learnt online from every touchpoint that arrives.

A model learns a touchpoint once: when it is appended to its journey. A touchpoint that is late, or that a merge brings,
only corrects the recent path of its journey. So predictions depend on other journeys and on the order of arrival, and
the state hash omits them.
"""

from collections.abc import Iterator
from typing import Any, Final, Protocol

from schemas.catalogue import Catalogue
from schemas.encoding.record_types import PREDICTION_MODEL
from schemas.encoding.splicing import encode_predictions, put_predictions
from schemas.records import LikelyNext, Touchpoint
from streams.journeys.changelog_keys import Kind
from streams.journeys.prediction.recent_path import RecentPath
from streams.journeys.prediction.risk import Risk, Standing
from streams.journeys.prediction.transitions import Origin, Transitions
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.timeline.timeline import Timeline
from streams.runtime.native_core import chosen_core

#: The form of the model: the first part of its version.
FORM: Final = 1
LIKELY: Final = 3  #: types that a state names
#: The newest touchpoints from which the recent path of a journey is rebuilt.
LOOK_BACK: Final = 64
#: A model learns nothing from a touchpoint further ahead of the clock: it would outweigh all others for years.
MAX_AHEAD_MS: Final = 86_400_000
#: Touchpoints between two renewals of a model: a twentieth of those learnt, within these limits. A renewal computes the
#: predictions again and writes the model to the changelog.
LEAST_RENEWAL: Final = 200
MOST_RENEWAL: Final = 20_000


class Model:
    """The model of one tenant, learnt from the journeys of one partition."""

    __slots__ = (
        "_core",
        "_likely",
        "_renew_at",
        "_risks",
        "encoded",
        "learnt",
        "renewed",
        "risk",
        "transitions",
    )

    def __init__(self, half_life: int, core: Any = None) -> None:
        """`half_life` is in milliseconds. `core` is the native core, which then counts (streams/native)."""
        self._core = core
        self.transitions = Transitions(half_life) if core is None else core.Transitions(half_life)
        self.risk = Risk(half_life) if core is None else core.Risk(half_life)
        self.learnt = 0  #: touchpoints
        self.renewed = 0  #: touchpoints learnt at the last renewal; predictions use the model of then
        self._renew_at = LEAST_RENEWAL
        self._likely: dict[Origin, list[LikelyNext]] = {}
        self._risks: dict[Standing, float | None] = {}
        #: what the model of the last renewal predicts, as journey states end with it
        self.encoded: dict[Standing, bytes] = {}

    def likely_next(self, origin: Origin) -> list[LikelyNext]:
        """The most probable types of the next inbound touchpoint. Cached until the next renewal."""
        found = self._likely.get(origin)
        if found is None and self._core is not None:
            # the native core keeps it as long, for the states that it encodes itself
            natively: Any = self.transitions
            likely = natively.likely(origin)
            found = self._likely[origin] = [{"type": name, "probability": share} for name, share in likely]
        if found is None:
            shares = self.transitions.distribution(origin)
            best = sorted((-share, name) for name, share in shares.items() if name)[:LIKELY]
            found = self._likely[origin] = [
                {"type": name, "probability": round(-share, 4)} for share, name in best
            ]
        return found

    def issue_risk(self, standing: Standing) -> float | None:
        """The probability of an inbound service contact within 7 days. Cached until the next renewal."""
        if standing not in self._risks and self._core is not None:
            natively: Any = self.risk
            self._risks[standing] = natively.chance(standing)
        if standing not in self._risks:
            probability = self.risk.probability(standing)
            self._risks[standing] = None if probability is None else round(probability, 4)
        return self._risks[standing]

    def count(self, learnt: int = 1) -> bool:
        """Count learnt touchpoints. Returns whether the model is due for renewal."""
        self.learnt += learnt
        return self.learnt >= self._renew_at

    def renew(self) -> None:
        """Prune the model and clear the caches, so that predictions use everything learnt so far."""
        self.transitions.prune()
        self.risk.prune()
        self.renewed = self.learnt
        self._renew_at = self.learnt + min(MOST_RENEWAL, max(LEAST_RENEWAL, self.learnt // 20))
        self._likely.clear()
        self._risks.clear()
        self.encoded.clear()

    def dump(self) -> dict[str, Any]:
        """As PredictionModel.avsc holds it."""
        names: dict[str, int] = {}

        def number(name: str) -> int:
            return names.setdefault(name, len(names))

        transitions, risk = self.transitions.dump(number), self.risk.dump(number)
        return {
            "form": FORM,
            "learnt": self.learnt,
            "names": list(names),
            "transitions_newest": self.transitions.newest,
            "transitions": transitions,
            "risk_newest": self.risk.newest,
            "risk": risk,
        }

    def load(self, record: dict[str, Any]) -> None:
        """Back from `dump`, into an empty one. A model of another form is ignored and learnt again."""
        if record["form"] == FORM:
            self.learnt = record["learnt"]
            self.transitions.load(record["transitions_newest"], record["transitions"], record["names"])
            self.risk.load(record["risk_newest"], record["risk"], record["names"])
            self.renew()


class Predicted(Protocol):
    """A journey, as far as predictions need it."""

    timeline: Timeline
    path: RecentPath | None


class Predictions:
    """The models of one partition, and the predictions for its journeys."""

    def __init__(self, catalogue: Catalogue, rules: JourneyRules, partition: int) -> None:
        self._catalogue = catalogue
        self._rules = rules
        self.form = f"{FORM}.{partition}."  #: how the versions of its models begin
        self._models: dict[str, Model] = {}
        self._due: set[str] = set()  #: tenants whose model is to be renewed
        self._core = chosen_core()

    def model(self, tenant: str) -> Model:
        """A tenant's model. No tenant learns from another."""
        found = self._models.get(tenant)
        if found is None:
            found = self._models[tenant] = self._new()
        return found

    def _new(self) -> Model:
        return Model(self._rules.prediction_half_life_ms, self._core)

    def arrived(self, journey: Predicted, touchpoint: Touchpoint, event: str, clock: float) -> None:
        """Learn a touchpoint, with its event_key, that is new on its timeline. `clock` is in seconds.

        Mutates `journey.path`.
        """
        timeline, path = journey.timeline, journey.path
        at = touchpoint["occurred_at"]
        stamp = at, event
        if stamp != timeline.order[-1] or (path is not None and stamp <= path.last):
            journey.path = None  # late: the recent path is rebuilt when it is needed
            return
        if path is None:
            path = journey.path = self._read(timeline, but=1)
        if at > clock * 1000 + MAX_AHEAD_MS:
            path.advance(touchpoint, self._catalogue)
            return
        model = self.model(timeline.tenant)
        path.advance(
            touchpoint,
            self._catalogue,
            model.transitions if self._rules.predict_next else None,
            model.risk if self._rules.predict_risk else None,
        )
        self.count(timeline.tenant, 1)

    def count(self, tenant: str, learnt: int) -> None:
        """Count touchpoints that a tenant's model has learnt."""
        if self.model(tenant).count(learnt):
            self._due.add(tenant)

    def attach(self, sealed: bytes, journey: Predicted) -> bytes:
        """The encoded state of a journey with its predictions, if the model has learnt enough; else `sealed`.

        Rebuilds `journey.path` if it is needed and None.
        """
        model = self.model(journey.timeline.tenant)
        if not model.renewed:
            return sealed
        path = journey.path
        if path is None:
            path = journey.path = self._read(journey.timeline)
        return put_predictions(sealed, self.encoded(model, path.standing()))

    def encoded(self, model: Model, standing: Standing) -> bytes:
        """What a model predicts for a standing, as journey states end with it."""
        predictions = model.encoded.get(standing)
        if predictions is None:
            predictions = model.encoded[standing] = encode_predictions(
                model.likely_next(standing[:2]) if self._rules.predict_next else [],
                model.issue_risk(standing) if self._rules.predict_risk else None,
                f"{self.form}{model.renewed}",
            )
        return predictions

    def changelog(self) -> Iterator[tuple[bytes, bytes]]:
        """Renew the models that are due. Returns their changelog records."""
        for tenant in sorted(self._due):
            model = self._models[tenant]
            model.renew()
            yield _record(tenant, model)
        self._due.clear()

    def dump(self) -> Iterator[tuple[bytes, bytes]]:
        """The changelog records of all models that predict, as of now."""
        for tenant, model in self._models.items():
            if model.renewed:
                yield _record(tenant, model)

    def restore(self, tenant: str, value: bytes) -> None:
        """Apply a changelog record of a model. It replaces the earlier one."""
        model = self._models[tenant] = self._new()
        model.load(PREDICTION_MODEL.decode(value))

    def _read(self, timeline: Timeline, but: int = 0) -> RecentPath:
        """The recent path of a journey, rebuilt from its timeline without the newest `but` touchpoints."""
        path = RecentPath(with_risk=self._rules.predict_risk)
        for touchpoint in reversed(list(self._back(timeline, but))):
            path.advance(touchpoint, self._catalogue)
        return path

    def _back(self, timeline: Timeline, but: int) -> Iterator[Touchpoint]:
        """The newest touchpoints, newest first, as far as the recent path depends on them.

        The next touchpoint depends on the last inbound one and its stage. The risk depends on up to LOOK_BACK of them.
        """
        acted = False
        end = len(timeline.order) - but
        for _, event in reversed(timeline.order[max(0, end - LOOK_BACK) : end]):
            touchpoint = timeline.entries[event].touchpoint()
            yield touchpoint
            kind = self._catalogue.type(touchpoint["type"])
            acted = acted or kind.direction == "inbound"
            if acted and kind.stage is not None and not self._rules.predict_risk:
                return


def _record(tenant: str, model: Model) -> tuple[bytes, bytes]:
    return tenant.encode() + b"/" + Kind.MODEL, PREDICTION_MODEL.encode(model.dump())
