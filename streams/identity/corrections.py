"""Erasures and withdrawn links: which evidence counts no more, and who must hear of it.

A correction says up to which event time evidence counts no more: an identifier's with whatever (ERASE), or a pair's
(UNLINK). The latest time of each wins, so corrections are a semilattice beside that of evidence, and both commute:
what counts is a pair's earliest evidence after its cut.

Everybody keeps a pair's earliest time only, so evidence after a cut may have been held back as nothing new, by stitch
or here. Hence a *mark*: an identifier whose evidence was cut carries the version of that decision and the times of its
cuts in its assignment. Stitch takes evidence anew in each interval between cuts; a profile sends that of touchpoints
which were stitched under an older assignment. So nothing after a cut stays unknown, whatever came first.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from schemas.records import ProfileChangeKind
from streams.identity.components import Decision, TenantIdentities
from streams.identity.evidence import Evidence, Node, Pair
from streams.identity.policy import IdentityPolicy
from streams.identity.profile_id import Assignment, contested_profile, own_profile
from streams.identity.work import Work, finished

#: Rules of the profile changes that corrections cause.
ERASURE: Final = "erasure"
UNLINKED: Final = "unlink"

#: Cuts that an assignment names, the newest: it must stay a small record. Beyond that, evidence between old cuts that
#: arrives late is not asked for again.
MAX_CUTS: Final = 1000


class Mark(NamedTuple):
    """What an identifier's assignment says of the corrections that concern it; times are event times in UTC ms."""

    version: int  #: of the newest decision that cut its evidence
    erased_at: int | None = None  #: what it did until then belongs to nobody
    cuts: tuple[int, ...] = ()  #: sorted


@dataclass
class Corrections:
    """The corrections of one tenant: cuts by identifier and by pair, and the marks that were given."""

    erased: dict[Node, int] = field(default_factory=dict)
    unlinked: dict[Pair, int] = field(default_factory=dict)
    marks: dict[Node, Mark] = field(default_factory=dict)

    def erase(self, node: Node, until: int) -> bool:
        """Take in an erasure; return whether it says anything new."""
        if self.erased.get(node, until - 1) >= until:
            return False
        self.erased[node] = until
        return True

    def unlink(self, pair: Pair, until: int) -> bool:
        """Take in that a link is withdrawn; return whether it says anything new."""
        if self.unlinked.get(pair, until - 1) >= until:
            return False
        self.unlinked[pair] = until
        return True

    def cut(self, pair: Pair) -> int | None:
        """The event time up to which evidence of a pair counts no more; None if all of it counts."""
        if not self.erased and not self.unlinked:
            return None
        cuts = (self.erased.get(pair[0]), self.erased.get(pair[1]), self.unlinked.get(pair))
        return max((cut for cut in cuts if cut is not None), default=None)

    def mark(self, node: Node, cut: int, version: int, *, again: bool) -> bool:
        """Mark an identifier whose evidence was cut, `again` or only for a cut it does not carry; return whether."""
        known = self.marks.get(node)
        erased_at = self.erased.get(node)
        cuts = () if known is None else known.cuts
        if not again and cut in cuts:
            return False
        self.marks[node] = Mark(version, erased_at, tuple(sorted({*cuts, cut}))[-MAX_CUTS:])
        return True


def remaining(evidence: Evidence, cut: int | None) -> Evidence:
    """What counts of a pair's earliest times after a cut."""
    if cut is None:
        return evidence
    return Evidence(*(None if time is None or time <= cut else time for time in evidence))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a link or a correction caused."""

    decision: Decision = field(default_factory=Decision)
    #: identifiers with a new mark: their assignments go out, and their profiles hear, even if nothing else changed
    marked: tuple[Node, ...] = ()
    withdrawn: tuple[tuple[Pair, Evidence], ...] = ()  #: the evidence that counted before and does no more
    counts: bool = True  #: whether the input must be kept: false for evidence that a correction cuts


class CorrectedIdentities:
    """The identities of one tenant under its corrections."""

    def __init__(self, tenant: str, policy: IdentityPolicy) -> None:
        self.tenant = tenant
        self.identities = TenantIdentities(tenant, policy)
        self.corrections = Corrections()

    def restore(self, pair: Pair, evidence: Evidence) -> None:
        """Take evidence from the changelog. Call it after all corrections were restored: what they cut is left out."""
        left = remaining(evidence, self.corrections.cut(pair))
        if left != Evidence(None, None):
            self.identities.restore(pair, left)

    def observe(self, pair: Pair, occurred_at: int, asserted: bool, version: int) -> Outcome | None:
        """Take in evidence (event time in UTC ms). None if it changes nothing at all and need not be kept."""
        return finished(self.observing(pair, occurred_at, asserted, version))

    def observing(self, pair: Pair, occurred_at: int, asserted: bool, version: int) -> Work[Outcome | None]:
        """`observe` as work that can rest."""
        cut = self.corrections.cut(pair)
        if cut is not None and occurred_at <= cut:
            # whoever sent this may hold back what came after the cut as nothing new
            marked = tuple(n for n in pair if self.corrections.mark(n, cut, version, again=False))
            return Outcome(marked=marked, counts=False) if marked else None
        decision = yield from self.identities.deciding(pair, occurred_at, asserted)
        return None if decision is None else Outcome(decision)

    def erase(self, node: Node, until: int, version: int) -> Outcome:
        """Forget what linked an identifier up to an event time; empty if that was forgotten before."""
        return finished(self.erasing(node, until, version))

    def erasing(self, node: Node, until: int, version: int) -> Work[Outcome]:
        """`erase` as work that can rest."""
        if not self.corrections.erase(node, until):
            return Outcome()
        self.corrections.mark(node, until, version, again=True)
        outcome = yield from self._cutting(self.identities.pairs_of(node), ERASURE, version)
        return Outcome(outcome.decision, tuple(sorted({*outcome.marked, node})), outcome.withdrawn)

    def unlink(self, pair: Pair, until: int, version: int) -> Outcome | None:
        """Withdraw a pair's evidence up to an event time; None if that was withdrawn before."""
        return finished(self.unlinking(pair, until, version))

    def unlinking(self, pair: Pair, until: int, version: int) -> Work[Outcome | None]:
        """`unlink` as work that can rest."""
        if not self.corrections.unlink(pair, until):
            return None
        return (yield from self._cutting([pair], UNLINKED, version))

    def assignment(self, node: Node) -> Assignment:
        """Whose an identifier is; its own if it has no link."""
        return self.identities.assignment(node)

    def linked(self, node: Node) -> bool:
        """Whether any evidence about an identifier counts."""
        return bool(self.identities.pairs_of(node))

    def mark_of(self, node: Node) -> Mark | None:
        """What corrections did to an identifier's evidence; None: nothing."""
        return self.corrections.marks.get(node)

    def _cutting(self, pairs: list[Pair], rule: str, version: int) -> Work[Outcome]:
        """Take out the evidence of pairs that counts no more."""
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
        decision = (yield from self.identities.replacing(replaced, rule)) if replaced else Decision()
        return Outcome(decision, tuple(sorted(marked)), tuple(withdrawn.items()))


def without_own(
    decision: Decision, tenant: str, node: Node
) -> Iterator[tuple[ProfileChangeKind, str, list[str], str]]:
    """The profile changes (kind, profile, others, rule) of an erasure, but for the erased identifier's own profiles.

    Nothing is left of those: that is told by ERASED, not by a split that would make a person out of nothing.
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
