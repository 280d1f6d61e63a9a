"""The identity agent's state for one partition, and its changelog.

The first byte of a key tells the kind of a changelog record: `~` is evidence at its earliest time that counts, `!` is
a correction, `=` is the mark of an identifier, `#` says under which rules a tenant's links were decided.
A correction is written last: if the changelog ends before it, the decision is repeated instead of half hidden.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from schemas.encoding.record_types import IDENTITY_ASSIGNMENT, IDENTITY_CORRECTION, IDENTITY_LINK
from schemas.keys import identifier_key
from schemas.records import IdentityAssignment, IdentityCorrection, IdentityLink
from streams.identity.policy.decided_under import KEY, DecidedUnder, key_of
from streams.identity.policy.decision_rules import DecisionRules
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.resolution.corrections import CorrectedIdentities, Mark, Outcome
from streams.identity.resolution.evidence import Pair, evidence_of
from streams.identity.resolution.links import evidence_key, link_key
from streams.identity.resolution.ownership import node_of, pair_of

#: A changelog record: key, and value or None for a tombstone.
Change = tuple[bytes, bytes | None]


@dataclass(slots=True)
class _RestoredEvidence:
    """A pair's evidence of one kind in the changelog: the earliest time of each stretch between two deletions.

    A deletion says that a correction had cut the earlier time. The restored corrections decide which times count,
    because a worker that had lost the partition and did not know yet may have deleted late.
    """

    tenant: str
    pair: Pair
    asserted: bool
    #: event times in UTC ms; the last one belongs to the stretch after the newest deletion
    times: list[int | None]

    def add(self, time: int) -> None:
        last = self.times[-1]
        self.times[-1] = time if last is None else min(time, last)


class IdentityState:
    """The identities of the tenants on one partition."""

    def __init__(self, policy: IdentityPolicy) -> None:
        self._policy = policy
        self._tenants: dict[str, CorrectedIdentities] = {}
        #: read from the changelog, but not yet in `_tenants`
        self._evidence: dict[bytes, _RestoredEvidence] = {}
        self._decided_under: dict[str, DecidedUnder] = {}  #: by tenant, as the changelog says
        self._noted: set[str] = set()  #: tenants of which it says the rules in force

    def tenant(self, tenant: str) -> CorrectedIdentities:
        """The identities of one tenant. Creates empty ones if there are none yet."""
        found = self._tenants.get(tenant)
        if found is None:
            found = self._tenants[tenant] = CorrectedIdentities(tenant, self._policy)
        return found

    def sizes(self) -> dict[str, int]:
        """What it holds, by kind. `contested`, `quarantined`: as far as resolved."""
        found = Counter(tenants=len(self._tenants))
        for one in self._tenants.values():
            found.update(one.identities.sizes)
        return found

    def refusals(self) -> dict[str, int]:
        """The number of refused links by reason, as far as they are resolved."""
        found: Counter[str] = Counter()
        for one in self._tenants.values():
            found.update(one.identities.refusals)
        return found

    def rules_change(self, tenant: str) -> Iterator[Change]:
        """The changelog record that says which rules decide from now on, unless the changelog says so.

        A changelog without such a record is of a former release: it was decided under the policy in force now.
        """
        if tenant in self._noted:
            return
        self._noted.add(tenant)
        rules = DecisionRules.of(self._policy, tenant)
        known = self._decided_under.get(tenant)
        if known is None:
            self._decided_under[tenant] = DecidedUnder.first(self._policy, tenant)
        elif known.current == rules:
            return
        else:
            self._decided_under[tenant] = known.under(rules)
        yield key_of(tenant), self._decided_under[tenant].encode()

    def applied(self, tenant: str, fingerprint: str) -> Iterator[Change]:
        """Forget former rules, since all that they decided is decided again under those with this fingerprint.

        Does nothing if other rules are in force. Returns the changelog record that says so.
        """
        present = DecidedUnder.first(self._policy, tenant)
        if present.current.fingerprint == fingerprint and self._decided_under.get(tenant) != present:
            self._decided_under[tenant] = present
            self.tenant(tenant).identities.decided_under(())
            yield key_of(tenant), present.encode()

    def decided_under(self) -> dict[str, DecidedUnder]:
        """By tenant, the rules from which published decisions may come, as the changelog says."""
        return dict(self._decided_under)

    def tenants(self) -> dict[str, CorrectedIdentities]:
        """The identities of all tenants that have any."""
        return dict(self._tenants)

    def restore_some(self, records: list[Any], start: int) -> int:  # noqa: ARG002
        """None at once: `restore` takes each."""
        return start

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Apply one changelog record."""
        if value is None:
            if key in self._evidence:
                self._evidence[key].times.append(None)
        elif key.startswith(KEY):
            self._decided_under[key.removeprefix(KEY).decode()] = DecidedUnder.read(value)
        elif key.startswith(b"~"):
            link: IdentityLink = IDENTITY_LINK.decode(value)
            found = self._evidence.get(key)
            if found is None:
                asserted = link["kind"] == "ASSERTED"
                found = self._evidence[key] = _RestoredEvidence(
                    link["tenant"], pair_of(link), asserted, [None]
                )
            found.add(link["occurred_at"])
        elif key.startswith(b"!"):
            correction: IdentityCorrection = IDENTITY_CORRECTION.decode(value)
            corrections = self.tenant(correction["tenant"]).corrections
            if correction["right"] is None:
                corrections.erase(node_of(correction["left"]), correction["occurred_at"])
            else:
                corrections.unlink(pair_of(correction), correction["occurred_at"])
        else:
            self._restore_mark(IDENTITY_ASSIGNMENT.decode(value))

    def restored(self) -> None:
        """Pass the restored evidence to its tenants. A component is resolved when it is first asked for."""
        for name, decided in self._decided_under.items():
            under = decided.under(DecisionRules.of(self._policy, name))
            self.tenant(name).identities.decided_under(under.former)
        for found in self._evidence.values():
            identities = self.tenant(found.tenant)
            for time in found.times:
                if time is not None:
                    identities.restore(found.pair, evidence_of(time, asserted=found.asserted))
        self._evidence = {}

    def caught_up(self) -> None:
        """Nothing to do: a correction that follows may decide which evidence counts."""

    def _restore_mark(self, assignment: IdentityAssignment) -> None:
        correction = assignment["correction"]
        if correction is None:
            return
        marks = self.tenant(assignment["tenant"]).corrections.marks
        node = node_of(assignment["identifier"])
        known = marks.get(node)
        if known is None or known.version < correction["version"]:
            marks[node] = Mark(correction["version"], correction["erased_at"], tuple(correction["cuts"]))


def link_change(link: IdentityLink, value: bytes) -> Change:
    """The changelog record of a link whose evidence counts."""
    return link_key(link), value


def mark_change(assignment: IdentityAssignment, value: bytes) -> Change:
    """The changelog record of a mark: the assignment that carries it."""
    return b"=" + identifier_key(assignment["tenant"], assignment["identifier"]), value


def withdrawn_changes(tenant: str, outcome: Outcome) -> Iterator[Change]:
    """The tombstones of evidence that an outcome removed."""
    for pair, evidence in outcome.withdrawn:
        if evidence.observed is not None:
            yield evidence_key(tenant, pair, "OBSERVED"), None
        if evidence.asserted is not None:
            yield evidence_key(tenant, pair, "ASSERTED"), None


def correction_change(correction: IdentityCorrection, value: bytes) -> Change:
    """The changelog record of a correction. There is one key per identifier and per pair, so the newest one counts."""
    left, right = correction["left"], correction["right"]
    ends = (left,) if right is None else (left, right)
    names = (text for end in ends for text in node_of(end))
    return "\x1f".join(("!" + correction["tenant"], correction["kind"], *names)).encode(), value
