"""The fold of the native core (streams/native), where it is installed and chosen: the same results, byte by byte.

`Fold` defines the results. The native core folds whole runs of encoded touchpoints in one call. It refuses, before it
folds any of them, a run with a touchpoint that it does not cover; `Fold` then takes the whole journey.

Catalogue and rules are compiled once, by `meanings_of`, and handed over as tables. docs/native-core.md says what is
native.
"""

from operator import attrgetter
from typing import Any, Final, TypeAlias, cast

from schemas.catalogue import Catalogue
from schemas.encoding.codec import MARKER, header
from schemas.encoding.record_types import JOURNEY_STATE
from schemas.records import JourneyState
from streams.journeys.rules.meaning import Meaning, meanings_of
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.fold import Fold
from streams.journeys.state.signals import Signal
from streams.runtime.native_core import chosen_core, installed_core, why_foreign

#: Fields of JourneyRules that the native fold reads as they are; `Rules` in streams/native/src/rules.rs has them too.
READ: Final = (
    "session_gap_ms", "session_cap_ms", "friction_half_life_ms", "sentiment_half_life_ms", "trend_half_life_ms",
    "effort_days", "effort_half_points", "effort_handoff", "effort_repeat_contact", "effort_channel_switch",
    "marketing_days", "detractor_at_most", "friction_spike", "sentiment_below", "repeat_contacts",
    "hopping_channels", "hopping_switches", "hopping_window_ms", "issue_overdue_ms", "enabled", "moments", "missed",
    "words",
)  # fmt: skip
#: Fields of a Meaning that the native fold reads as they are.
_MEANT: Final = (
    "name", "stage_rank", "inbound", "internal", "friction", "points", "moment", "effect", "survey", "marketing",
    "money", "bad", "good",
)  # fmt: skip
_read: Final = attrgetter(*READ)
_meant: Final = attrgetter(*_MEANT)

#: What a journey without an account says: nobody asks its state for more.
_NO_ACCOUNT: Final = cast("JourneyState", {"account_id": None})


class NativeFold:
    """A fold that the native core keeps. Its methods have the meaning of those of `Fold`."""

    __slots__ = ("native",)

    def __init__(self, native: Any) -> None:
        self.native = native

    def advance_all(self, values: list[bytes]) -> bool:
        """Fold encoded ResolvedTouchpoints in time order: all of one time together, in any order.

        Returns False, and folds none, if one of them is not covered.
        """
        return bool(self.native.advance_all(values))

    def state(self, tenant: str, profile_id: str, version: int, late: int = 0) -> JourneyState:
        """The journey state as of the newest touchpoint; at least one must have been folded."""
        return JOURNEY_STATE.decode_trusted(self.native.sealed(tenant, profile_id, version, late))

    def sealed(self, tenant: str, profile_id: str, version: int, late: int = 0) -> tuple[JourneyState, bytes]:
        """The journey state and its encoding. Of a journey without an account the state has only `account_id`."""
        encoded: bytes = self.native.sealed(tenant, profile_id, version, late)
        if self.native.account_id is None:
            return _NO_ACCOUNT, encoded
        return JOURNEY_STATE.decode_trusted(encoded), encoded

    @property
    def account_id(self) -> str | None:
        """The account that the newest touchpoint with an account names; None if there is none."""
        return cast("str | None", self.native.account_id)

    def signals(self, now: int) -> list[Signal]:
        """Every signal that holds at `now` (UTC ms), sorted by time, kind and id."""
        return cast("list[Signal]", self.native.signals(now))

    def lets_go(self, signal: Signal) -> bool:
        """Whether a signal no longer holds only because the journey has evicted its subject as too old."""
        return bool(self.native.lets_go(signal.occurred_at, signal.kind, signal.subject_id, signal.event))

    def next_deadline(self, now: int | None = None) -> int | None:
        """The earliest deadline, UTC ms, that has not passed at `now` (UTC ms; by default the newest touchpoint's)."""
        return cast("int | None", self.native.next_deadline(now))


AnyFold: TypeAlias = Fold | NativeFold

_cores: list[tuple[Catalogue, JourneyRules, Any]] = []


def native_fold(catalogue: Catalogue, rules: JourneyRules) -> NativeFold | None:
    """A native fold over no touchpoints; None if the native core is not chosen or does not cover the rules."""
    core = native_core(catalogue, rules)
    return None if core is None else NativeFold(core.fold())


def native_core(catalogue: Catalogue, rules: JourneyRules) -> Any:
    """The tables in the native core's form; None if it is not chosen or does not cover the rules."""
    return None if chosen_core() is None else _core_of(catalogue, rules)


def why_not(catalogue: Catalogue, rules: JourneyRules) -> str:
    """Why the native core cannot run under a catalogue and rules, as a clause; "" if it can."""
    native = installed_core()
    if native is None:
        return "it is not installed (`make install` builds it where cargo is)"
    if foreign := why_foreign():
        return foreign
    for name, fingerprint in native.Core.SCHEMAS.items():
        if header(name) != MARKER + fingerprint:
            return f"it was built for another {name}.avsc (`make install` builds it again)"
    return "" if _core_of(catalogue, rules) is not None else "it does not cover these rules"


def _core_of(catalogue: Catalogue, rules: JourneyRules) -> Any:
    for known_catalogue, known_rules, core in _cores:
        if known_catalogue is catalogue and known_rules is rules:
            return core
    native = installed_core().Core
    covered = len(rules.expectations) <= native.MOST_EXPECTATIONS
    core = native(tables(catalogue, rules), Signal) if covered else None
    _cores[:] = [(catalogue, rules, core), *_cores[:3]]
    return core


def tables(catalogue: Catalogue, rules: JourneyRules) -> dict[str, Any]:
    """Catalogue and rules as the native core takes them: stages, components and rules are numbered."""
    meanings = meanings_of(catalogue, rules)
    listed: dict[int, Meaning] = {}
    for meaning in (*meanings.by_type.values(), meanings.unknown):
        for one in (meaning, meaning.repeated):
            if one is not None:
                listed.setdefault(id(one), one)
    numbers = {known: number for number, known in enumerate(listed)}
    stages = sorted({one.stage for one in listed.values() if one.stage is not None})
    components = sorted({one.component for one in listed.values()})
    expectations = [rule.name for rule in rules.expectations]

    def entry(meaning: Meaning) -> dict[str, Any]:
        return dict(zip(_MEANT, _meant(meaning), strict=True)) | {
            "component": components.index(meaning.component),
            "stage": None if meaning.stage is None else stages.index(meaning.stage),
            "opens": [expectations.index(rule.name) for rule in meaning.opens],
            "meets": sum(1 << expectations.index(name) for name in meaning.meets),
            "counts": [rules.counts.index(rule) for rule in meaning.counts],
            "repeated": None if meaning.repeated is None else numbers[id(meaning.repeated)],
        }

    return dict(zip(READ, _read(rules), strict=True)) | {
        "expectations": [
            {
                "name": one.name,
                "within_ms": one.within_ms,
                "any_session": one.any_session,
                "signal": one.signal,
            }
            for one in rules.expectations
        ],
        "counts": [
            {"name": one.name, "at_least": one.at_least, "within_ms": one.within_ms} for one in rules.counts
        ],
        "human_channels": set(meanings.human_channels),
        "channel_aliases": dict(meanings.channel_aliases),
        "stages": stages,
        "components": components,
        "meanings": [entry(one) for one in listed.values()],
        "types": {name: numbers[id(one)] for name, one in meanings.by_type.items()},
        "unknown": numbers[id(meanings.unknown)],
    }
