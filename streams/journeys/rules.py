"""The rules of journeys, read from journey.toml (which explains every threshold)."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from schemas.errors import SettingsError
from schemas.toml_text import parse_toml, place, read_text

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
    ("decay", "friction_half_life_hours"): _Threshold("friction_half_life_ms", _HOUR),
    ("decay", "sentiment_half_life_days"): _Threshold("sentiment_half_life_ms", _DAY, most=366),
    ("signals", "detractor", "at_most"): _Threshold("detractor_at_most", least=0, most=10),
    ("signals", "friction_spike", "at_least"): _Threshold("friction_spike", least=0.1),
    ("signals", "sentiment_drop", "below"): _Threshold("sentiment_below", least=-1, most=1),
    ("signals", "repeat_contact", "contacts"): _Threshold("repeat_contacts", least=2, whole=True),
    ("signals", "channel_hopping", "channels"): _Threshold("hopping_channels", least=2, whole=True),
    ("signals", "channel_hopping", "switches"): _Threshold("hopping_switches", least=1, most=100, whole=True),
    ("signals", "channel_hopping", "within_hours"): _Threshold("hopping_window_ms", _HOUR),
    ("signals", "issue_overdue", "hours"): _Threshold("issue_overdue_ms", _HOUR),
}

KINDS: Final = (
    "abandoned_cart",
    "abandoned_checkout",
    "stage_entered",
    "consent_withdrawn",
    "detractor",
    "friction_spike",
    "sentiment_drop",
    "repeat_contact",
    "channel_hopping",
    "issue_overdue",
)


@dataclass(frozen=True, slots=True)
class JourneyRules:
    """Every threshold of the fold and its signals; times in milliseconds."""

    session_gap_ms: int
    session_cap_ms: int
    friction_half_life_ms: int
    sentiment_half_life_ms: int
    detractor_at_most: float
    friction_spike: float
    sentiment_below: float
    repeat_contacts: int
    hopping_channels: int
    hopping_switches: int
    hopping_window_ms: int
    issue_overdue_ms: int
    enabled: frozenset[str] = frozenset(KINDS)  #: kinds of signals to raise
    words: dict[str, str] = field(init=False, compare=False, repr=False)  #: kind to its rule as a sentence

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", _words(self))

    @classmethod
    def load(cls, path: str = "") -> "JourneyRules":
        """The built-in rules, with the file at `path` (if not empty) laid over them. Raises SettingsError."""
        if not path:
            return cls.parse("", BUILT_IN.name)
        return cls.parse(read_text(path, "TOUCHLINE_JOURNEY_RULES"), path)

    @classmethod
    def parse(cls, text: str, origin: str) -> "JourneyRules":
        """Read rules, laid over the built-in ones. Raises SettingsError naming `origin`, line and fix."""
        given = _flat(parse_toml(text, origin))
        for keys, value in given.items():
            _check(keys, value, text, origin)
        values = _BUILT_IN_VALUES | given
        numbers: dict[str, Any] = {}
        for keys, threshold in _THRESHOLDS.items():
            value = values[keys] * threshold.unit
            numbers[threshold.sets] = round(value) if threshold.whole or threshold.unit > 1 else float(value)
        off = {keys[1] for keys, value in values.items() if keys[-1] == "enabled" and not value}
        return cls(**numbers, enabled=frozenset(KINDS) - off)


def _flat(tables: dict[str, Any], prefix: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    flat: dict[tuple[str, ...], Any] = {}
    for name, value in tables.items():
        keys = (*prefix, name)
        flat |= _flat(value, keys) if isinstance(value, dict) else {keys: value}
    return flat


_BUILT_IN_VALUES: Final = _flat(parse_toml(BUILT_IN.read_text(encoding="utf-8"), BUILT_IN.name))


def _check(keys: tuple[str, ...], value: object, text: str, origin: str) -> None:
    where = place(text, origin, *keys)
    if len(keys) == 3 and keys[0] == "signals" and keys[1] in KINDS and keys[2] == "enabled":
        if not isinstance(value, bool):
            raise SettingsError(f"{where} is {value!r}: use true or false")
        return
    threshold = _THRESHOLDS.get(keys)
    if threshold is None:
        raise SettingsError(f"{where} is no rule: see the built-in journey.toml for those that there are")
    if (
        isinstance(value, bool)
        or not isinstance(value, int if threshold.whole else int | float)
        or not threshold.least <= value <= threshold.most
    ):
        what = "whole number" if threshold.whole else "number"
        raise SettingsError(
            f"{where} is {value!r}: it must be a {what} from {threshold.least:g} to {threshold.most:g}"
        )


def _words(rules: JourneyRules) -> dict[str, str]:
    gap = f"{rules.session_gap_ms / _MINUTE:g} minutes after its last activity"
    return {
        "abandoned_cart": f"a session with a cart ended without an order, {gap}",
        "abandoned_checkout": f"a session with a checkout ended without an order, {gap}",
        "stage_entered": "the first touchpoint of a lifecycle stage",
        "consent_withdrawn": "the latest decision on a purpose revokes it, or denies it after a grant",
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
