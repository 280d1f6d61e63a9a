"""The reference: the same pure core over a whole set of events at once, without Kafka or ClickHouse.

Every distributed run must end in the same profiles, states and hashes. Links are resolved by the batch
definition, touchpoints are owned by the final resolution, and each timeline is folded once, in order.
Erasures and withdrawn links apply from the beginning, as if the evidence that they cut had never existed.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from schemas.catalogue import Catalogue
from schemas.records import (
    AccountState,
    Identifier,
    IdentityCorrection,
    JourneySignal,
    JourneyState,
    MemberSummary,
    ProfileChanged,
    Touchpoint,
)
from schemas.touchpoint.erasure_names import ERASURE_REQUESTED
from schemas.touchpoint.events import Rank, event_key, rank_of
from streams.accounts.contributions import combine
from streams.identity.outputs import Cause, changes_of, correction_outputs
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.policy.prepare import prepare
from streams.identity.resolution.corrections import CorrectedIdentities, Corrections
from streams.identity.resolution.definition import Evidence, Pair, Resolution, join, own_profile, resolve
from streams.identity.resolution.evidence import Node, evidence_of
from streams.identity.resolution.links import links_of
from streams.identity.resolution.ownership import node_of, pair_of
from streams.journeys.memberships import account_of, summary_of
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.fold import Fold
from streams.journeys.state.signals import raised
from streams.journeys.timeline.horizon_summary import fold_timeline
from streams.stitch.stitching import erasures_of


@dataclass(slots=True)
class Owned:
    """A touchpoint with its final owner."""

    touchpoint: Touchpoint
    identifier: Identifier
    profile_id: str

    @property
    def event(self) -> tuple[str, str, str]:
        """Tenant, profile and event. Of the copies with an equal key one counts."""
        return self.touchpoint["tenant"], self.profile_id, event_key(self.touchpoint)


@dataclass
class Replay:
    """Collects touchpoints in any order with `add`. All other methods may be called only after the last `add`."""

    policy: IdentityPolicy
    catalogue: Catalogue
    rules: JourneyRules
    #: (tenant, event, owning identifier, time) → the best copy of those with an equal key
    _touchpoints: dict[tuple[str, str, Node, int], tuple[Identifier, Touchpoint]] = field(
        default_factory=dict
    )
    #: tenant → pair → (event time, asserted) → the smallest (id, source) of the events that show it
    _links: dict[str, dict[Pair, dict[tuple[int, bool], tuple[str, str]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(dict))
    )
    _requests: dict[tuple[int, str, int], IdentityCorrection] = field(default_factory=dict)
    _corrections: dict[str, Corrections] = field(default_factory=lambda: defaultdict(Corrections))
    _resolutions: dict[str, Resolution] = field(default_factory=dict)

    def add(self, touchpoint: Touchpoint) -> None:
        """Add one touchpoint; an erasure_requested one erases. Raises ContractError if it has no usable identifier."""
        identifier, prepared = prepare(touchpoint, self.policy, self.catalogue)
        tenant = prepared["tenant"]
        if prepared["type"] == ERASURE_REQUESTED:
            for correction in erasures_of(prepared):
                self.correct(correction)
            return
        for link in links_of(prepared, prepared["identifiers"]):
            times = self._links[tenant][pair_of(link)]
            key = link["occurred_at"], link["kind"] == "ASSERTED"
            by = link["event_id"], link["source"]
            times[key] = min(by, times.get(key, by))
        copy = tenant, event_key(prepared), node_of(identifier), prepared["occurred_at"]
        known = self._touchpoints.get(copy)
        if known is None or (known[1] != prepared and rank_of(prepared) < rank_of(known[1])):
            self._touchpoints[copy] = identifier, prepared

    def correct(self, correction: IdentityCorrection) -> None:
        """Take one correction, its identifiers prepared by the policy."""
        corrections, until = self._corrections[correction["tenant"]], correction["occurred_at"]
        if correction["kind"] == "ERASE":
            corrections.erase(node_of(correction["left"]), until)
        else:
            corrections.unlink(pair_of(correction), until)
        self._requests[until, correction["event_id"], len(self._requests)] = correction

    def owned(self) -> Iterator[Owned]:
        """Every touchpoint that counts, with its owner, in the order in which they were added.

        Of the copies of an event (schemas/touchpoint/events.py) one counts for each profile that owns any.
        """
        ranks = self._ranks()
        return (one for one in self._copies() if self._counts(one, ranks))

    def copies(self) -> Iterator[Owned]:
        """The copies that do not count: their owner has another copy of a better rank."""
        ranks = self._ranks()
        return (one for one in self._copies() if not self._counts(one, ranks))

    def _ranks(self) -> dict[tuple[str, str, str], Rank]:
        """For each event of which a profile owns several copies: the rank of the counting copy."""
        best: dict[tuple[str, str, str], Owned] = {}
        several: dict[tuple[str, str, str], Rank] = {}
        for one in self._copies():
            other = best.setdefault(one.event, one)
            if other is not one:
                several[one.event] = min(
                    several.get(one.event) or rank_of(other.touchpoint), rank_of(one.touchpoint)
                )
        return several

    @staticmethod
    def _counts(one: Owned, ranks: dict[tuple[str, str, str], Rank]) -> bool:
        return one.event not in ranks or ranks[one.event] == rank_of(one.touchpoint)

    def _copies(self) -> Iterator[Owned]:
        """Every distinct touchpoint that was not erased with its owner, in the order in which they were added."""
        for identifier, touchpoint in self._touchpoints.values():
            erased_at = self._corrections[touchpoint["tenant"]].erased.get(node_of(identifier))
            if erased_at is not None and touchpoint["occurred_at"] <= erased_at:
                continue
            yield Owned(touchpoint, identifier, self._owner(identifier, touchpoint))

    def states(self) -> Iterator[JourneyState]:
        """Every profile's state, sorted by tenant and profile; versions are 0."""
        for tenant, profile_id, fold in self._folds():
            yield fold.state(tenant, profile_id, 0)

    def accounts(self) -> Iterator[AccountState]:
        """Every business account's state, sorted by tenant and account; versions are 0."""
        accounts: dict[tuple[str, str], dict[str, MemberSummary]] = defaultdict(dict)
        for state in self.states():
            account_id = account_of(state)
            if account_id is not None:
                accounts[state["tenant"], account_id][state["profile_id"]] = summary_of(state)
        for (tenant, account_id), members in sorted(accounts.items()):
            yield combine(tenant, account_id, 0, members, self.rules.friction_half_life_ms)

    def signals(self, now: int) -> Iterator[JourneySignal]:
        """The signals that hold at `now` (UTC ms), sorted by tenant and profile."""
        for tenant, profile_id, fold in self._folds():
            for signal in fold.signals(now):
                yield raised(tenant, profile_id, signal, version=0)

    def resolution(self, tenant: str) -> Resolution:
        """The owners of a tenant's identifiers, and the refused links."""
        if tenant not in self._resolutions:
            self._resolutions[tenant] = resolve(tenant, self.policy, self._evidence(tenant))
        return self._resolutions[tenant]

    def changes(self) -> Iterator[ProfileChanged]:
        """Merges, splits and erasures, in the sequence that arrival in event-time order gives."""
        tenants: dict[str, CorrectedIdentities] = {}
        for version, (time, event_id, tenant, step) in enumerate(self._steps()):
            identities = tenants.get(tenant)
            if identities is None:
                identities = tenants[tenant] = CorrectedIdentities(tenant, self.policy)
            cause = Cause(tenant, version, event_id, time)
            if isinstance(step, tuple):
                outcome = identities.observe(*step, version)
                if outcome is not None:
                    yield from changes_of(outcome.decision, cause)
                continue
            erased = node_of(step["left"]) if step["kind"] == "ERASE" else None
            if erased is not None:
                outcome = identities.erase(erased, time, version)
            else:
                outcome = identities.unlink(pair_of(step), time, version)
            if outcome is not None:
                yield from correction_outputs(outcome, identities, cause, erased).changes

    def _steps(self) -> Iterator[tuple[int, str, str, tuple[Pair, int, bool] | IdentityCorrection]]:
        """Evidence and corrections (event time, event id, tenant, step) by time; of equal times evidence first."""
        steps: list[tuple[tuple[Any, ...], str, str, tuple[Pair, int, bool] | IdentityCorrection]] = [
            ((time, 0, pair, asserted), event_id, tenant, (pair, time, asserted))
            for tenant, links in self._links.items()
            for pair, times in links.items()
            for (time, asserted), (event_id, _) in times.items()
        ]
        steps += [
            ((time, 1, event_id, number), event_id, correction["tenant"], correction)
            for (time, event_id, number), correction in self._requests.items()
        ]
        for key, event_id, tenant, step in sorted(steps, key=lambda step: (step[0], step[2])):
            yield key[0], event_id, tenant, step

    def _owner(self, identifier: Identifier, touchpoint: Touchpoint) -> str:
        tenant = touchpoint["tenant"]
        assignment = self.resolution(tenant).get(node_of(identifier))
        if assignment is None:
            return own_profile(tenant, node_of(identifier))
        return assignment.owner_at(touchpoint["occurred_at"])

    def _evidence(self, tenant: str) -> dict[Pair, Evidence]:
        """A tenant's evidence without the part that corrections cut."""
        counts: dict[Pair, Evidence] = {}
        for pair, times in self._links.get(tenant, {}).items():
            cut = self._corrections[tenant].cut(pair)
            for time, asserted in times:
                if cut is None or time > cut:
                    counts[pair] = join(counts.get(pair), evidence_of(time, asserted=asserted))
        return counts

    def _folds(self) -> Iterator[tuple[str, str, Fold]]:
        timelines: dict[tuple[str, str], list[Owned]] = defaultdict(list)
        for owned in self._copies():
            timelines[owned.touchpoint["tenant"], owned.profile_id].append(owned)
        for (tenant, profile_id), timeline in sorted(timelines.items()):
            timeline.sort(key=lambda item: (item.touchpoint["occurred_at"], event_key(item.touchpoint)))
            owned_by = [(node_of(owned.identifier), owned.touchpoint) for owned in timeline]
            yield tenant, profile_id, fold_timeline(owned_by, self.catalogue, self.rules)
