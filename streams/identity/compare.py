"""The same events under two policies: which profiles would merge, and which would split.

A profile is known by its touchpoints, since policies may spell, hide or rank identifiers differently.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from streams.identity.resolution.definition import Resolution

EventKey: TypeAlias = tuple[str, str]  #: tenant, event (schemas.touchpoint.events.event_key)
ProfileKey: TypeAlias = tuple[str, str]  #: tenant, profile id


@dataclass(frozen=True)
class Outcome:
    """The result of the events under one policy."""

    owners: Mapping[EventKey, str]  #: touchpoints with a usable identifier → the profiles that own them
    resolutions: Mapping[str, Resolution]  #: by tenant

    def shared(self) -> int:
        """The number of shared (contested) identifiers."""
        return sum(
            assignment.contested_from is not None
            for resolution in self.resolutions.values()
            for assignment in resolution.values()
        )

    def refused(self) -> Counter[str]:
        """Refused links by rule."""
        return Counter(
            rule for resolution in self.resolutions.values() for rule in resolution.refused.values()
        )

    def profiles(self) -> set[ProfileKey]:
        """All profiles that own a touchpoint."""
        return {(tenant, profile) for (tenant, _), profile in self.owners.items()}


@dataclass(frozen=True, slots=True)
class Change:
    """Several profiles that become one under the new policy, or one that becomes several."""

    tenant: str
    whole: str  #: merge: the profile under the new policy; split: under the old one
    parts: Mapping[
        str, int
    ]  #: merge: the profiles under the old policy; split: under the new one → touchpoints
    #: the rules by which the other policy refuses links between the parts; empty if it only spells, blocks or ranks
    #: identifiers differently
    rules: tuple[str, ...]

    @property
    def touchpoints(self) -> int:
        """The number of touchpoints of all parts."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Comparison:
    """The changes that a new policy would make, those with the most touchpoints first."""

    merges: list[Change] = field(default_factory=list)
    splits: list[Change] = field(default_factory=list)
    renamed: int = 0  #: profiles that keep their touchpoints under another id
    lost: int = 0  #: touchpoints that would have no usable identifier any more, hence become dead letters
    gained: int = 0  #: touchpoints that have none now and would have one


def compare(before: Outcome, after: Outcome) -> Comparison:
    """The changes when the policy of `after` replaces that of `before`."""
    became: dict[ProfileKey, Counter[str]] = defaultdict(Counter)
    came_from: dict[ProfileKey, Counter[str]] = defaultdict(Counter)
    both = before.owners.keys() & after.owners.keys()
    for event in both:
        tenant, old, new = event[0], before.owners[event], after.owners[event]
        became[tenant, old][new] += 1
        came_from[tenant, new][old] += 1
    renamed = sum(
        len(olds) == 1 and new not in olds and len(became[tenant, next(iter(olds))]) == 1
        for (tenant, new), olds in came_from.items()
    )
    return Comparison(
        merges=_changes(came_from, before),
        splits=_changes(became, after),
        renamed=renamed,
        lost=len(before.owners.keys() - both),
        gained=len(after.owners.keys() - both),
    )


def _changes(parts_of: Mapping[ProfileKey, Counter[str]], apart: Outcome) -> list[Change]:
    """The profiles with several parts; `apart` is the outcome that keeps those parts apart."""
    rules = {tenant: _rules_between(resolution) for tenant, resolution in apart.resolutions.items()}
    changes = [
        Change(
            tenant,
            whole,
            dict(sorted(parts.items(), key=_most_first)),
            _rules_of(parts, rules.get(tenant, {})),
        )
        for (tenant, whole), parts in parts_of.items()
        if len(parts) > 1
    ]
    return sorted(changes, key=lambda change: (-change.touchpoints, change.tenant, change.whole))


def _most_first(part: tuple[str, int]) -> tuple[int, str]:
    return -part[1], part[0]


def _rules_between(resolution: Resolution) -> dict[str, dict[str, set[str]]]:
    """Profile → other profile → the rules by which links between the two were refused."""
    between: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for (_, pair, _), rule in resolution.refused.items():
        profiles = set()
        for node in pair:
            assignment = resolution[node]
            profiles |= {assignment.profile_id, assignment.contested_profile_id or assignment.profile_id}
        for one in profiles:
            for other in profiles - {one}:
                between[one][other].add(rule)
    return between


def _rules_of(parts: Iterable[str], between: Mapping[str, Mapping[str, set[str]]]) -> tuple[str, ...]:
    parts = set(parts)
    return tuple(
        sorted(
            {
                rule
                for part in parts & between.keys()
                for other, rules in between[part].items()
                if other in parts
                for rule in rules
            }
        )
    )
