"""What each touchpoint type means to the fold: the catalogue's entry and the rules that name it, looked up once."""

from dataclasses import dataclass, fields
from hashlib import blake2b
from typing import Final, get_args

from schemas.catalogue import UNKNOWN, Catalogue, Effect, Moment, TouchpointType
from schemas.errors import SettingsError
from streams.journeys.custom_rules import CountRule, ExpectationRule
from streams.journeys.rules import JourneyRules

#: Effects that put money in or take it out.
_MONEY: Final = frozenset({"order_placed", "order_returned", "order_cancelled", "refund"})


@dataclass(frozen=True, slots=True)
class Meaning:
    """One touchpoint type; its fields are the catalogue's, and the rules that it opens, meets and counts for."""

    component: str
    stage: str | None
    stage_place: int  #: its place among the stages of a lifecycle; -1 for none
    inbound: bool
    internal: bool
    friction: float
    points: int  #: of effort, thousandths: whole, so that their sum does not depend on the order
    moment: Moment | None
    effect: Effect | None
    survey: bool
    marketing: bool  #: a contact that counts as a marketing touch
    money: bool
    bad: bool  #: a bad outcome on its channel
    good: bool
    opens: tuple[ExpectationRule, ...]
    meets: frozenset[str]  #: names of expectations
    counts: tuple[CountRule, ...]


class Meanings:
    """The meaning of every touchpoint type under one catalogue and one set of rules."""

    __slots__ = ("_by_type", "_unknown", "fingerprint", "human_channels")

    def __init__(self, catalogue: Catalogue, rules: JourneyRules) -> None:
        """Raises SettingsError when a rule names what the catalogue does not know."""
        _check(catalogue, rules)
        self.fingerprint = _fingerprint(catalogue, rules)  #: 64 bits; equal ones give equal signals
        self.human_channels = catalogue.human_channels
        self._by_type = {
            name: _meaning(name, kind, catalogue, rules) for name, kind in catalogue.types.items()
        }
        self._unknown = _meaning("", UNKNOWN, catalogue, rules)

    def of(self, name: str) -> Meaning:
        """What a type means; one that the catalogue does not name is an inbound contact of component "other"."""
        return self._by_type.get(name, self._unknown)


def _meaning(name: str, kind: TouchpointType, catalogue: Catalogue, rules: JourneyRules) -> Meaning:
    names = {name, kind.effect} - {"", None}
    internal = kind.direction == "internal"
    return Meaning(
        component=kind.component,
        stage=kind.stage,
        stage_place=-1 if kind.stage is None else catalogue.stages.index(kind.stage),
        inbound=kind.direction == "inbound",
        internal=internal,
        friction=kind.friction,
        points=round(kind.friction * 1000),
        moment=kind.moment,
        effect=kind.effect,
        survey=kind.effect == "survey",
        marketing=kind.component == "marketing" and not internal,
        money=kind.effect in _MONEY,
        bad=kind.moment == "ouch" or kind.friction >= rules.bad_friction,
        good=kind.moment == "wow" or kind.effect == "order_placed",
        opens=tuple(rule for rule in rules.expectations if names & set(rule.opened_by)),
        meets=frozenset(rule.name for rule in rules.expectations if names & set(rule.met_by)),
        counts=tuple(rule for rule in rules.counts if names & set(rule.touchpoints)),
    )


def _fingerprint(catalogue: Catalogue, rules: JourneyRules) -> int:
    values = [(item.name, getattr(rules, item.name)) for item in fields(rules) if item.compare]
    parts = (
        sorted(catalogue.types.items()),
        catalogue.stages,
        sorted(catalogue.human_channels),
        [(name, sorted(value) if isinstance(value, frozenset) else value) for name, value in values],
    )
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest(), "big")


def _check(catalogue: Catalogue, rules: JourneyRules) -> None:
    known = catalogue.types.keys() | set(get_args(Effect))
    named = [(f"expectations.{rule.name}", (*rule.opened_by, *rule.met_by)) for rule in rules.expectations]
    named += [(f"rules.{rule.name}", rule.touchpoints) for rule in rules.counts]
    for rule, names in named:
        for name in names:
            if name not in known:
                raise SettingsError(
                    f"{rule} in journey.toml names {name!r}, which is neither a touchpoint type of the catalogue nor"
                    " an effect: add it to your catalogue (TOUCHLINE_CATALOGUE), or correct the name"
                )


_NEWEST: list[tuple[Catalogue, JourneyRules, Meanings]] = []


def meanings_of(catalogue: Catalogue, rules: JourneyRules) -> Meanings:
    """The meanings under a catalogue and rules, made once: a process has one of each. Raises SettingsError."""
    for known_catalogue, known_rules, meanings in _NEWEST:
        if known_catalogue is catalogue and known_rules is rules:
            return meanings
    meanings = Meanings(catalogue, rules)
    _NEWEST[:] = [(catalogue, rules, meanings), *_NEWEST[:3]]
    return meanings
