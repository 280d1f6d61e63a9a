"""The rules of journeys, read from journey.toml (which explains every threshold)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from schemas.errors import SettingsError
from schemas.toml_text import TomlText, is_number, parse_toml, read_text
from streams.journeys.rules.custom_rules import (
    CountRule,
    ExpectationRule,
    check_custom,
    counts_of,
    expectations_of,
)

BUILT_IN: Final = Path(__file__).with_name("journey.toml")

_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


@dataclass(frozen=True, slots=True)
class _Threshold:
    """A number in journey.toml: the field it sets, the unit it is given in, its range."""

    sets: str
    unit: int = 1
    least: float = 1
    most: float = 10_000
    whole: bool = False


_THRESHOLDS: Final = {
    ("sessions", "gap_minutes"): _Threshold("session_gap_ms", _MINUTE),
    ("sessions", "cap_days"): _Threshold("session_cap_ms", _DAY, most=366),
    ("horizon", "touchpoints"): _Threshold("horizon_touchpoints", least=20, whole=True),
    ("horizon", "days"): _Threshold("horizon_ms", _DAY),
    ("horizon", "most_touchpoints"): _Threshold("horizon_most", least=20, whole=True),
    ("horizon", "most_kilobytes"): _Threshold("horizon_text", 1024, least=256),
    ("decay", "friction_half_life_hours"): _Threshold("friction_half_life_ms", _HOUR),
    ("decay", "sentiment_half_life_days"): _Threshold("sentiment_half_life_ms", _DAY, most=366),
    ("decay", "sentiment_trend_half_life_days"): _Threshold("trend_half_life_ms", _DAY, most=366),
    ("effort", "window_days"): _Threshold("effort_days", most=366, whole=True),
    ("effort", "half_points"): _Threshold("effort_half_points", 1000, least=0.1),
    ("effort", "handoff"): _Threshold("effort_handoff", 1000, least=0),
    ("effort", "repeat_contact"): _Threshold("effort_repeat_contact", 1000, least=0),
    ("effort", "channel_switch"): _Threshold("effort_channel_switch", 1000, least=0),
    ("preferred_channel", "bad_friction"): _Threshold("bad_friction", least=0.1, most=10),
    ("marketing", "window_days"): _Threshold("marketing_days", most=366, whole=True),
    ("prediction", "half_life_days"): _Threshold("prediction_half_life_ms", _DAY, least=7),
    ("signals", "detractor", "at_most"): _Threshold("detractor_at_most", least=0, most=10),
    ("signals", "friction_spike", "at_least"): _Threshold("friction_spike", least=0.1),
    ("signals", "sentiment_drop", "below"): _Threshold("sentiment_below", least=-1, most=1),
    ("signals", "repeat_contact", "contacts"): _Threshold("repeat_contacts", least=2, whole=True),
    ("signals", "channel_hopping", "channels"): _Threshold("hopping_channels", least=2, whole=True),
    ("signals", "channel_hopping", "switches"): _Threshold("hopping_switches", least=1, most=100, whole=True),
    ("signals", "channel_hopping", "within_hours"): _Threshold("hopping_window_ms", _HOUR),
    ("signals", "issue_overdue", "hours"): _Threshold("issue_overdue_ms", _HOUR),
}

#: Predictions that can be switched on: the entry of [prediction] → the field that it sets.
_PREDICTIONS: Final = {"likely_next": "predict_next", "issue_risk": "predict_risk"}

#: The built-in kinds of signals; rules of the user's own add theirs.
KINDS: Final = (
    "abandoned_cart",
    "abandoned_checkout",
    "quote_unanswered",
    "stage_entered",
    "consent_withdrawn",
    "profile_merged",
    "detractor",
    "friction_spike",
    "sentiment_drop",
    "repeat_contact",
    "channel_hopping",
    "issue_overdue",
)


#: The built-in kinds that are moments: signals that no later touchpoint ends.
_MOMENTS: Final = frozenset({"friction_spike", "sentiment_drop", "repeat_contact", "channel_hopping"})


@dataclass(frozen=True, slots=True)
class JourneyRules:
    """Every threshold of the fold and its signals; times in milliseconds, effort points in thousandths."""

    session_gap_ms: int
    session_cap_ms: int
    horizon_touchpoints: int
    horizon_ms: int
    horizon_most: int
    horizon_text: int  #: characters
    friction_half_life_ms: int
    sentiment_half_life_ms: int
    trend_half_life_ms: int
    effort_days: int
    effort_half_points: int
    effort_handoff: int
    effort_repeat_contact: int
    effort_channel_switch: int
    bad_friction: float
    marketing_days: int
    prediction_half_life_ms: int
    detractor_at_most: float
    friction_spike: float
    sentiment_below: float
    repeat_contacts: int
    hopping_channels: int
    hopping_switches: int
    hopping_window_ms: int
    issue_overdue_ms: int
    predict_next: bool = False
    predict_risk: bool = False
    expectations: tuple[ExpectationRule, ...] = ()
    counts: tuple[CountRule, ...] = ()
    enabled: frozenset[str] = frozenset(KINDS)  #: kinds of signals to raise
    moments: frozenset[str] = field(
        init=False, compare=False, repr=False
    )  #: kinds that no later touchpoint ends
    missed: frozenset[str] = field(
        init=False, compare=False, repr=False
    )  #: kinds that tell a missed expectation
    words: dict[str, str] = field(init=False, compare=False, repr=False)  #: kind to its rule as a sentence

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", _words(self))
        object.__setattr__(self, "moments", _MOMENTS | {rule.name for rule in self.counts})
        object.__setattr__(self, "missed", frozenset(rule.signal for rule in self.expectations))

    @classmethod
    def load(cls, path: str = "") -> "JourneyRules":
        """The built-in rules, with the file at `path` (if not empty) laid over them. Raises SettingsError."""
        if not path:
            return cls.parse("", BUILT_IN.name)
        return cls.parse(read_text(path, "TOUCHLINE_JOURNEY_RULES"), path)

    @classmethod
    def parse(cls, text: str, origin: str) -> "JourneyRules":
        """Read rules, laid over the built-in ones. Raises SettingsError naming `origin`, line and fix."""
        source = TomlText(text, origin)
        given = _flat(source.tables)
        for keys, value in given.items():
            if not check_custom(keys, value, source):
                _check(keys, value, source)
        values = _BUILT_IN_VALUES | given
        numbers: dict[str, Any] = {}
        for keys, threshold in _THRESHOLDS.items():
            value = values[keys] * threshold.unit
            numbers[threshold.sets] = round(value) if threshold.whole or threshold.unit > 1 else float(value)
        if numbers["horizon_most"] < numbers["horizon_touchpoints"]:
            where = source.place("horizon", "most_touchpoints")
            raise SettingsError(f"{where} is less than horizon.touchpoints: raise it, or lower that")
        off = {keys[1] for keys, value in values.items() if keys[-1] == "enabled" and not value}
        expectations, counts = expectations_of(values, given, source), counts_of(values, source)
        kinds = {rule.signal for rule in expectations} | {rule.name for rule in counts}
        numbers |= {field: values["prediction", name] for name, field in _PREDICTIONS.items()}
        return cls(
            **numbers, expectations=expectations, counts=counts, enabled=frozenset(KINDS) - off | kinds - off
        )


def _flat(tables: dict[str, Any], prefix: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    flat: dict[tuple[str, ...], Any] = {}
    for name, value in tables.items():
        keys = (*prefix, name)
        flat |= _flat(value, keys) if isinstance(value, dict) else {keys: value}
    return flat


_BUILT_IN_VALUES: Final = _flat(parse_toml(BUILT_IN.read_text(encoding="utf-8"), BUILT_IN.name))


def _check(keys: tuple[str, ...], value: object, source: TomlText) -> None:
    where = source.place(*keys)
    switch = len(keys) == 3 and keys[0] == "signals" and keys[1] in KINDS and keys[2] == "enabled"
    if switch or (len(keys) == 2 and keys[0] == "prediction" and keys[1] in _PREDICTIONS):
        if not isinstance(value, bool):
            raise SettingsError(f"{where} is {value!r}: use true or false")
        return
    threshold = _THRESHOLDS.get(keys)
    if threshold is None:
        raise SettingsError(f"{where} is no rule: see the built-in journey.toml for those that there are")
    if not is_number(value, threshold.least, threshold.most, whole=threshold.whole):
        what = "whole number" if threshold.whole else "number"
        raise SettingsError(
            f"{where} is {value!r}: it must be a {what} from {threshold.least:g} to {threshold.most:g}"
        )


def _words(rules: JourneyRules) -> dict[str, str]:
    words = {
        "stage_entered": "the first touchpoint of a lifecycle stage",
        "consent_withdrawn": "the latest decision on a purpose revokes it, or denies it after a grant",
        "profile_merged": "the first touchpoint of a further identifier of the same person",
        "detractor": f"the last NPS answer is {rules.detractor_at_most:g} or less",
        "friction_spike": f"friction reached {rules.friction_spike:g}",
        "sentiment_drop": f"mean sentiment fell below {rules.sentiment_below:g}",
        "repeat_contact": f"{rules.repeat_contacts} separate contacts within one issue",
        "channel_hopping": (
            f"{rules.hopping_channels} channels within one issue, or {rules.hopping_switches} channel"
            f" switches within {rules.hopping_window_ms / _HOUR:g} hours"
        ),
        "issue_overdue": f"an issue open for more than {rules.issue_overdue_ms / _HOUR:g} hours",
    }
    words |= {rule.name: rule.words() for rule in rules.counts}
    return words | {rule.signal: rule.words(rules.session_gap_ms) for rule in rules.expectations}
