"""The meaning of each touchpoint type to the fold: its catalogue entry and the rules that name it, looked up once."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from typing import Final, get_args

from schemas.catalogue import UNKNOWN, Catalogue, Effect, Moment, TouchpointType
from schemas.errors import SettingsError
from schemas.touchpoint.names import canonical
from streams.journeys.rules.custom_rules import CountRule, ExpectationRule
from streams.journeys.rules.rules import JourneyRules

_EFFECTS: Final = frozenset(get_args(Effect))
#: Effects that put money in or take it out.
_MONEY: Final = frozenset({"order_placed", "order_returned", "order_cancelled", "refund"})


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of one touchpoint type: the fields of the catalogue, and the rules that name the type."""

    name: str  #: of the catalogue; "" when it names no such type
    component: str
    stage: str | None
    stage_rank: int  #: index of the stage in the lifecycle; -1 for none
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
    repeated: "Meaning | None" = (
        None  #: of a further touchpoint of an order that is counted: without the effect
    )


class Meanings:
    """The meaning of every touchpoint type under one catalogue and one set of rules."""

    __slots__ = ("by_type", "channel_aliases", "fingerprint", "human_channels", "unknown")

    def __init__(self, catalogue: Catalogue, rules: JourneyRules) -> None:
        """Raises SettingsError when a rule names what the catalogue does not know."""
        _check(catalogue, rules)
        self.fingerprint = _fingerprint(catalogue, rules)  #: 64 bits; equal fingerprints give equal signals
        self.human_channels = catalogue.human_channels
        self.channel_aliases = catalogue.channel_aliases
        resolved = {name: _resolved(name, catalogue) for _, names in _named(rules) for name in names}
        self.by_type = {
            name: _of_type(name, kind, catalogue, rules, resolved) for name, kind in catalogue.types.items()
        }
        # a touchpoint stored before the alias existed still carries the alias
        self.by_type |= {alias: self.by_type[name] for alias, name in catalogue.type_aliases.items()}
        self.unknown = _meaning(set(), "", UNKNOWN, catalogue, rules, resolved)

    def of(self, name: str) -> Meaning:
        """The meaning of a type. A type that the catalogue lacks is an inbound contact of component "other"."""
        return self.by_type.get(name, self.unknown)


def _of_type(
    name: str, kind: TouchpointType, catalogue: Catalogue, rules: JourneyRules, resolved: Mapping[str, str]
) -> Meaning:
    meaning = _meaning({name, kind.effect}, name, kind, catalogue, rules, resolved)
    if kind.effect not in _MONEY:
        return meaning
    names = {name} - {
        kind.effect
    }  # if a type and its effect share a name, a rule that names it means the effect
    without = replace(kind, effect=None)
    return replace(meaning, repeated=_meaning(names, name, without, catalogue, rules, resolved))


def _meaning(
    names: Set[str | None], name: str, kind: TouchpointType, catalogue: Catalogue, rules: JourneyRules,
    resolved: Mapping[str, str],
) -> Meaning:  # fmt: skip
    internal = kind.direction == "internal"

    def named(listed: tuple[str, ...]) -> bool:
        return not names.isdisjoint(resolved[name] for name in listed)

    return Meaning(
        name=name,
        component=kind.component,
        stage=kind.stage,
        stage_rank=-1 if kind.stage is None else catalogue.stages.index(kind.stage),
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
        opens=tuple(rule for rule in rules.expectations if named(rule.opened_by)),
        meets=frozenset(rule.name for rule in rules.expectations if named(rule.met_by)),
        counts=tuple(rule for rule in rules.counts if named(rule.touchpoints)),
    )


def _fingerprint(catalogue: Catalogue, rules: JourneyRules) -> int:
    values = [(item.name, getattr(rules, item.name)) for item in fields(rules) if item.compare]
    parts = (
        sorted(catalogue.types.items()),
        catalogue.stages,
        sorted(catalogue.human_channels),
        sorted(catalogue.type_aliases.items()),
        sorted(catalogue.channel_aliases.items()),
        [(name, sorted(value) if isinstance(value, frozenset) else value) for name, value in values],
    )
    return int.from_bytes(blake2b(repr(parts).encode(), digest_size=8).digest(), "big", signed=True)


def _check(catalogue: Catalogue, rules: JourneyRules) -> None:
    known = catalogue.types.keys() | _EFFECTS
    for rule, names in _named(rules):
        for name in names:
            if _resolved(name, catalogue) not in known:
                raise SettingsError(
                    f"{rule} in journey.toml names {name!r}, which is neither a touchpoint type of the catalogue nor"
                    " an effect: add it to your catalogue (TOUCHLINE_CATALOGUE), or correct the name"
                )


def _named(rules: JourneyRules) -> list[tuple[str, tuple[str, ...]]]:
    """Each expectation and count of the user, with the types and effects that it names."""
    named = [(f"expectations.{rule.name}", (*rule.opened_by, *rule.met_by)) for rule in rules.expectations]
    return named + [(f"rules.{rule.name}", rule.touchpoints) for rule in rules.counts]


def _resolved(name: str, catalogue: Catalogue) -> str:
    """The canonical name of the effect or type that a rule names."""
    effect = canonical(name)
    return effect if effect in _EFFECTS else catalogue.type_name(name)


_NEWEST: list[tuple[Catalogue, JourneyRules, Meanings]] = []


def meanings_of(catalogue: Catalogue, rules: JourneyRules) -> Meanings:
    """The meanings under a catalogue and rules, made once: a process has one of each. Raises SettingsError."""
    for known_catalogue, known_rules, meanings in _NEWEST:
        if known_catalogue is catalogue and known_rules is rules:
            return meanings
    meanings = Meanings(catalogue, rules)
    _NEWEST[:] = [(catalogue, rules, meanings), *_NEWEST[:3]]
    return meanings
