"""Corrections: erasures and withdrawn links, the evidence that they invalidate, and who must be told.

A correction is a cut at an event time. Evidence up to the cut does not count: of an identifier with any other (ERASE),
or of one pair (UNLINK). The latest cut of each wins. So corrections form a semilattice beside that of evidence, and
the two commute: a pair's earliest evidence after its cut counts.

Stitch, profiles and identity store only the earliest time of a pair. Evidence after a cut may therefore have been
dropped as nothing new, by stitch or here. Hence the *mark*: the assignment of an identifier whose evidence was cut
carries the version of that decision and the times of its cuts. The cuts split event time into intervals. Stitch sends
a link once per interval. A profile sends the evidence of touchpoints again that were stitched under an older
assignment. So no evidence after a cut is lost, in whatever order evidence and corrections arrive.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from schemas.records import ProfileChangeKind
from streams.identity.policy.decision_rules import Rules
from streams.identity.resolution.components import Decision, TenantIdentities
from streams.identity.resolution.evidence import Evidence, Node, Pair
from streams.identity.resolution.profile_id import Assignment, contested_profile, own_profile
from streams.identity.resolution.resumable import Resumable, run_to_end

#: The rules that profile changes name when a correction caused them.
ERASURE: Final = "erasure"
UNLINKED: Final = "unlink"

#: The newest cuts that an assignment names at most, to stay a small record. Evidence that falls between older cuts and
#: arrives late is not requested again.
MAX_CUTS: Final = 1000


class Mark(NamedTuple):
    """What an identifier's assignment says of the corrections that concern it. Times are event times in UTC ms."""

    version: int  #: version of the newest decision that cut the identifier's evidence
    erased_at: int | None = None  #: its touchpoints up to this time belong to no profile
    cuts: tuple[int, ...] = ()  #: sorted


@dataclass
class Corrections:
    """The corrections of one tenant: cuts by identifier and by pair, and the marks of identifiers."""

    erased: dict[Node, int] = field(default_factory=dict)
    unlinked: dict[Pair, int] = field(default_factory=dict)
    marks: dict[Node, Mark] = field(default_factory=dict)

    def erase(self, node: Node, until: int) -> bool:
        """Add an erasure up to an event time (UTC ms). Returns False if a later one is known."""
        if self.erased.get(node, until - 1) >= until:
            return False
        self.erased[node] = until
        return True

    def unlink(self, pair: Pair, until: int) -> bool:
        """Add the withdrawal of a pair's link up to an event time (UTC ms). Returns False if a later one is known."""
        if self.unlinked.get(pair, until - 1) >= until:
            return False
        self.unlinked[pair] = until
        return True

    def cut(self, pair: Pair) -> int | None:
        """The latest cut of a pair: evidence up to this event time (UTC ms) does not count. None if all counts."""
        if not self.erased and not self.unlinked:
            return None
        cuts = (self.erased.get(pair[0]), self.erased.get(pair[1]), self.unlinked.get(pair))
        return max((cut for cut in cuts if cut is not None), default=None)

    def mark(self, node: Node, cut: int, version: int, *, again: bool) -> bool:
        """Mark an identifier whose evidence was cut at this event time. Returns whether its mark changed.

        `again`: renew the mark's version even if the mark contains this cut already.
        """
        known = self.marks.get(node)
        erased_at = self.erased.get(node)
        cuts = () if known is None else known.cuts
        if not again and cut in cuts:
            return False
        self.marks[node] = Mark(version, erased_at, tuple(sorted({*cuts, cut}))[-MAX_CUTS:])
        return True


def remaining(evidence: Evidence, cut: int | None) -> Evidence:
    """The part of a pair's evidence that counts after a cut."""
    if cut is None:
        return evidence
    return Evidence(*(None if time is None or time <= cut else time for time in evidence))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The consequences of a link or a correction."""

    decision: Decision = field(default_factory=Decision)
    #: identifiers with a new mark: their assignments are published and their profiles told, changed or not
    marked: tuple[Node, ...] = ()
    withdrawn: tuple[tuple[Pair, Evidence], ...] = ()  #: the evidence that this outcome removed
    counts: bool = True  #: whether the evidence must be stored: False if a correction cuts it, or it is known


class CorrectedIdentities:
    """The identities of one tenant under its corrections."""

    def __init__(self, tenant: str, policy: Rules) -> None:
        self.tenant = tenant
        self.identities = TenantIdentities(tenant, policy)
        self.corrections = Corrections()

    def restore(self, pair: Pair, evidence: Evidence) -> None:
        """Add evidence from the changelog. Restore all corrections first: evidence that they cut is ignored."""
        left = remaining(evidence, self.corrections.cut(pair))
        if left != Evidence(None, None):
            self.identities.restore(pair, left)

    def observe(self, pair: Pair, occurred_at: int, asserted: bool, version: int) -> Outcome | None:
        """Add evidence at an event time (UTC ms). Returns None if it changes nothing and need not be stored."""
        return run_to_end(self.observe_resumably(pair, occurred_at, asserted, version))

    def observe_resumably(
        self, pair: Pair, occurred_at: int, asserted: bool, version: int
    ) -> Resumable[Outcome | None]:
        """`observe` as a resumable computation."""
        cut = self.corrections.cut(pair)
        if cut is not None and occurred_at <= cut:
            # the sender may have dropped evidence from after the cut as nothing new: the mark tells it of the cut
            marked = tuple(n for n in pair if self.corrections.mark(n, cut, version, again=False))
            if not marked:
                return None
            decision = yield from self.identities.review_resumably(pair)
            return Outcome(decision, marked=marked, counts=False)
        decided = yield from self.identities.observe_resumably(pair, occurred_at, asserted)
        return None if decided is None else Outcome(decided, counts=decided.is_evidence_new)

    def erase(self, node: Node, until: int, version: int) -> Outcome:
        """Remove an identifier's evidence up to an event time (UTC ms). The outcome is empty if nothing is new."""
        return run_to_end(self.erase_resumably(node, until, version))

    def erase_resumably(self, node: Node, until: int, version: int) -> Resumable[Outcome]:
        """`erase` as a resumable computation."""
        if not self.corrections.erase(node, until):
            return Outcome()
        self.corrections.mark(node, until, version, again=True)
        outcome = yield from self._cut_evidence(self.identities.pairs_of(node), (node,), ERASURE, version)
        return Outcome(outcome.decision, tuple(sorted({*outcome.marked, node})), outcome.withdrawn)

    def unlink(self, pair: Pair, until: int, version: int) -> Outcome | None:
        """Remove a pair's evidence up to an event time (UTC ms). Returns None if that was done before."""
        return run_to_end(self.unlink_resumably(pair, until, version))

    def unlink_resumably(self, pair: Pair, until: int, version: int) -> Resumable[Outcome | None]:
        """`unlink` as a resumable computation."""
        if not self.corrections.unlink(pair, until):
            return None
        return (yield from self._cut_evidence([pair], pair, UNLINKED, version))

    def assignment(self, node: Node) -> Assignment:
        """The profile that owns an identifier: its own profile if it has no link."""
        return self.identities.assignment(node)

    def linked(self, node: Node) -> bool:
        """Whether any evidence with this identifier counts."""
        return bool(self.identities.pairs_of(node))

    def mark_of(self, node: Node) -> Mark | None:
        """The mark of an identifier; None if no correction cut its evidence."""
        return self.corrections.marks.get(node)

    def _cut_evidence(
        self, pairs: list[Pair], nodes: Iterable[Node], rule: str, version: int
    ) -> Resumable[Outcome]:
        """Remove the evidence of pairs that their cuts invalidate, and mark their identifiers.

        `nodes`: the identifiers that are corrected.
        """
        withdrawn: dict[Pair, Evidence] = {}
        replaced: dict[Pair, Evidence | None] = {}
        marked: set[Node] = set()
        for pair in sorted(pairs):
            known, cut = self.identities.evidence(pair), self.corrections.cut(pair)
            if known is None or cut is None or (left := remaining(known, cut)) == known:
                continue
            withdrawn[pair] = Evidence(
                *(was if now is None else None for was, now in zip(known, left, strict=True))
            )
            replaced[pair] = None if left == Evidence(None, None) else left
            for node in pair:
                self.corrections.mark(node, cut, version, again=True)
                marked.add(node)
        if replaced:
            decision = yield from self.identities.replace_resumably(replaced, rule)
        else:
            decision = yield from self.identities.review_resumably(nodes)
        return Outcome(decision, tuple(sorted(marked)), tuple(withdrawn.items()))


def changes_without_own_profiles(
    decision: Decision, tenant: str, node: Node
) -> Iterator[tuple[ProfileChangeKind, str, list[str], str]]:
    """The profile changes (kind, profile, others, rule) of an erasure, without the erased identifier's own profiles.

    Nothing is left of those profiles. ERASED says so; a split would make a person out of nothing.
    """
    own = {own_profile(tenant, node), contested_profile(tenant, node)}
    for survivor, gone, rule in decision.merged:
        others = [profile for profile in gone if profile not in own]
        if others:
            yield "MERGED", survivor, others, rule
    for shrunk, appeared, rule in decision.split:
        others = [profile for profile in appeared if profile not in own]
        if others:
            yield "SPLIT", shrunk, others, rule
