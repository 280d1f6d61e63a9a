"""The reference: the same pure core over a whole set of events at once, without Kafka or ClickHouse.

Every distributed run must end in the same profiles, states and hashes. Links are resolved by the batch
definition, touchpoints are owned by the final resolution, and each timeline is folded once, in order.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.catalogue import Catalogue
from schemas.records import Identifier, JourneySignal, JourneyState, ProfileChanged, Touchpoint
from streams.identity.components import TenantIdentities
from streams.identity.policy import IdentityPolicy
from streams.identity.prepare import prepare
from streams.identity.publication import Cause, changes_of
from streams.identity.resolution import Evidence, Pair, Resolution, join, own_profile, resolve
from streams.journeys.fold import Fold
from streams.journeys.rules import JourneyRules
from streams.journeys.timeline import preferred
from streams.ownership import node_of
from streams.stitch.stitching import links_of


@dataclass(slots=True)
class Owned:
    """A touchpoint and the profile it belongs to in the end."""

    touchpoint: Touchpoint
    identifier: Identifier
    profile_id: str


@dataclass
class Replay:
    """Collects touchpoints in any order, then answers; ask only after the last `add`."""

    policy: IdentityPolicy
    catalogue: Catalogue
    rules: JourneyRules
    _touchpoints: dict[tuple[str, str], tuple[Identifier, Touchpoint]] = field(default_factory=dict)
    _links: dict[str, dict[Pair, Evidence]] = field(default_factory=lambda: defaultdict(dict))
    _causes: dict[tuple[str, Pair, bool], tuple[int, str]] = field(default_factory=dict)
    _resolutions: dict[str, Resolution] = field(default_factory=dict)

    def add(self, touchpoint: Touchpoint) -> None:
        """Take one touchpoint. Raises ContractError if it has no usable identifier."""
        identifier, prepared = prepare(touchpoint, self.policy)
        tenant = prepared["tenant"]
        for link in links_of(prepared, prepared["identifiers"]):
            pair, asserted = (node_of(link["left"]), node_of(link["right"])), link["kind"] == "ASSERTED"
            time = link["occurred_at"]
            evidence = Evidence(observed=None if asserted else time, asserted=time if asserted else None)
            links = self._links[tenant]
            links[pair] = join(links.get(pair), evidence)
            cause = time, link["event_id"]
            self._causes[tenant, pair, asserted] = min(
                cause, self._causes.get((tenant, pair, asserted), cause)
            )
        place = tenant, prepared["event_id"]
        known = self._touchpoints.get(place)
        if known is None or preferred(prepared, known[1]) is prepared:
            self._touchpoints[place] = identifier, prepared

    def owned(self) -> Iterator[Owned]:
        """Every distinct touchpoint with its owner, in the order in which they were added."""
        for identifier, touchpoint in self._touchpoints.values():
            yield Owned(touchpoint, identifier, self._owner(identifier, touchpoint))

    def states(self) -> Iterator[JourneyState]:
        """Every profile's state, sorted by tenant and profile; versions are 0."""
        for tenant, profile_id, fold in self._folds():
            yield fold.state(tenant, profile_id, 0)

    def signals(self, now: int) -> Iterator[JourneySignal]:
        """The signals that hold at `now` (UTC ms), sorted by tenant and profile."""
        for tenant, profile_id, fold in self._folds():
            for signal in fold.signals(now):
                yield JourneySignal(
                    tenant=tenant, profile_id=profile_id, signal_id=signal.signal_id, kind=signal.kind,
                    status="RAISED", occurred_at=signal.occurred_at, rule=signal.rule,
                    event_ids=list(signal.event_ids), details=dict(signal.details), version=0,
                )  # fmt: skip

    def resolution(self, tenant: str) -> Resolution:
        """Whose a tenant's identifiers are, and which links were refused."""
        if tenant not in self._resolutions:
            self._resolutions[tenant] = resolve(tenant, self.policy, self._links.get(tenant, {}))
        return self._resolutions[tenant]

    def changes(self) -> Iterator[ProfileChanged]:
        """Merges and splits as they happen when the evidence arrives in event-time order."""
        tenants: dict[str, TenantIdentities] = {}
        items = sorted((time, pair, asserted, tenant, event_id)
                       for (tenant, pair, asserted), (time, event_id) in self._causes.items())  # fmt: skip
        for version, (time, pair, asserted, tenant, event_id) in enumerate(items):
            identities = tenants.setdefault(tenant, TenantIdentities(tenant, self.policy))
            decision = identities.observe(pair, time, asserted)
            if decision is not None:
                yield from changes_of(decision, Cause(tenant, version, event_id, time))

    def _owner(self, identifier: Identifier, touchpoint: Touchpoint) -> str:
        tenant = touchpoint["tenant"]
        assignment = self.resolution(tenant).get(node_of(identifier))
        if assignment is None:
            return own_profile(tenant, node_of(identifier))
        return assignment.owner_at(touchpoint["occurred_at"])

    def _folds(self) -> Iterator[tuple[str, str, Fold]]:
        timelines: dict[tuple[str, str], list[Owned]] = defaultdict(list)
        for owned in self.owned():
            timelines[owned.touchpoint["tenant"], owned.profile_id].append(owned)
        for (tenant, profile_id), timeline in sorted(timelines.items()):
            timeline.sort(key=lambda item: (item.touchpoint["occurred_at"], item.touchpoint["event_id"]))
            fold = Fold(self.catalogue, self.rules)
            for owned in timeline:
                fold.advance(owned.touchpoint, owned.identifier)
            yield tenant, profile_id, fold
