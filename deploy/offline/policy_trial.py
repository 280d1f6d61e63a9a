"""The same events under several identity policies, side by side."""

from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from deploy.ingest.reading.files import Entry
from deploy.ingest.touchpoint_files import TouchpointFiles
from schemas.catalogue import Catalogue
from schemas.errors import ContractError
from schemas.records import Identifier, Touchpoint
from schemas.touchpoint.events import event_key
from streams.identity.compare import Change, EventKey, Outcome
from streams.identity.policy.policy import IdentityPolicy
from streams.journeys.rules.rules import JourneyRules
from streams.replay import Replay

SHOWN_IDENTIFIERS: Final = 3  #: of each profile


class PolicyTrial:
    """One replay per policy over the same events, and the identifiers as the events write them."""

    def __init__(self, *policies: IdentityPolicy) -> None:
        catalogue, rules = Catalogue.load(""), JourneyRules.load("")
        self.replays = [Replay(policy, catalogue, rules) for policy in policies]
        self.blocked: list[Counter[str]] = [Counter() for _ in policies]
        self.raw: dict[EventKey, list[Identifier]] = {}

    def read(self, sources: TouchpointFiles, on_reject: Callable[[Entry], None]) -> int:
        """Take all events; return how many lines could not be read. `on_reject` gets each of them."""
        rejected = 0
        for sourced in sources:
            entry = sourced.give(self._add)
            if entry.error is not None:
                rejected += 1
                on_reject(entry)
        return rejected

    def _add(self, touchpoint: Touchpoint) -> None:
        self.raw[touchpoint["tenant"], event_key(touchpoint)] = touchpoint["identifiers"]
        for replay, blocked in zip(self.replays, self.blocked, strict=True):
            policy = replay.policy.for_tenant(touchpoint["tenant"])
            blocked.update(one["type"] for one in touchpoint["identifiers"] if policy.blocked(one))
            # a touchpoint without a usable identifier is missing in the outcome, where it is counted
            with suppress(ContractError):
                replay.add(touchpoint)

    def outcome(self, replay: Replay) -> Outcome:
        """What became of the events."""
        owners = {(o.touchpoint["tenant"], event_key(o.touchpoint)): o.profile_id for o in replay.owned()}
        return Outcome(owners, {tenant: replay.resolution(tenant) for tenant, _ in owners})

    def names(self, change: Change, apart: Outcome) -> Mapping[str, list[str]]:
        """Some identifiers of each part, as the events write them."""
        names: dict[str, list[str]] = {part: [] for part in change.parts}
        for (tenant, event), profile in apart.owners.items():
            if (
                tenant == change.tenant
                and len(names.get(profile, [""] * SHOWN_IDENTIFIERS)) < SHOWN_IDENTIFIERS
            ):
                found = (f"{one['type']}:{one['value']}" for one in self.raw[tenant, event])
                names[profile] += [name for name in found if name not in names[profile]]
        return {part: found[:SHOWN_IDENTIFIERS] for part, found in names.items()}
