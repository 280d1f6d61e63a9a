"""Horizon summaries: an identifier's oldest touchpoints, summed up when they lie beyond the horizon.

The unit that is summed up is the unit that moves: one identifier. How much of it depends on its own touchpoints
alone, in whole blocks of the oldest, so merges and splits find the same summaries that a replay finds, and arriving
within the horizon in whatever order changes nothing. A profile's fold begins with the summaries of its identifiers
and goes on over what is kept one by one.
"""

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from schemas.catalogue import Catalogue
from schemas.encoding.record_types import FOLD_SUMMARY
from schemas.errors import ContractError, Reason
from schemas.records import FrozenSummary, Identifier, Touchpoint
from schemas.touchpoint.events import event_key, rank_of
from streams.identity.resolution.ownership import NO_VERSION
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.fold import Fold
from streams.journeys.state.instants import Owned, advance_all
from streams.journeys.state.orders import sound
from streams.journeys.state.values.stamps import Stamp
from streams.journeys.timeline.block_ends import block_ends, text_of
from streams.journeys.timeline.bloom_filter import FILTER_BYTES, BloomFilter, is_filter_size

Node = tuple[str, str]


@dataclass(frozen=True, slots=True)
class HorizonSummary:
    """One identifier's summary; a value, replaced as a whole."""

    node: Node
    version: int  #: of the assignment under which it is here
    boundary: Stamp  #: place of the newest touchpoint in it
    late: int
    seen: BloomFilter  #: events in it or counted late; a touchpoint that the filter takes for known is not counted
    folds: tuple[bytes, ...]  #: encoded FoldSummaries, one after the other in time; mostly one
    first_seen: int
    touchpoints: int

    def add(self, touchpoints: Sequence[Touchpoint], version: int, fold: Fold) -> "HorizonSummary":
        """With newer touchpoints, whose fold is given, in it."""
        newest = touchpoints[-1]
        summary = fold.dump()
        return replace(
            self, version=max(self.version, version), boundary=_place(newest),
            seen=self.seen.add(map(event_key, touchpoints)), folds=(FOLD_SUMMARY.encode(summary),),
            first_seen=summary["first_seen"], touchpoints=summary["touchpoints"],
        )  # fmt: skip

    def arrive_late(self, event: str) -> "HorizonSummary":
        """After a touchpoint from beyond the boundary: counted, unless it is in here or was counted already."""
        if event in self.seen:
            return self
        return replace(self, late=self.late + 1, seen=self.seen.add((event,)))

    def unfold(self, tenant: str, catalogue: Catalogue, rules: JourneyRules) -> Fold:
        """The fold over its touchpoints, ready to go on."""
        fold = Fold(catalogue, rules)
        for number, part in enumerate(self.folds):
            loaded = Fold.load(FOLD_SUMMARY.decode_trusted(part), tenant, catalogue, rules)
            if number:
                fold.absorb(loaded)
            else:
                fold = loaded
        return fold

    def record(self) -> FrozenSummary:
        """As FrozenSummary.avsc has it."""
        return {
            "identifier": {"type": self.node[0], "value": self.node[1]},
            "version": self.version,
            "boundary_at": self.boundary[0],
            "boundary_event_id": self.boundary[1],
            "late": self.late,
            "seen": self.seen.bits,
            "folds": list(self.folds),
        }


def nothing(node: Node) -> HorizonSummary:
    """The summary of no touchpoints."""
    return HorizonSummary(node, NO_VERSION, (-(2**63), ""), 0, BloomFilter(), (), 0, 0)


def read(record: FrozenSummary) -> HorizonSummary:
    """Back from `HorizonSummary.record`. Raises ContractError for a summary that nothing could go on from."""
    size = len(record["seen"])
    if not is_filter_size(size):
        raise ContractError(
            Reason.INVALID, f"a filter of {size} bytes: a power of two up to {FILTER_BYTES} is"
        )
    parts = [FOLD_SUMMARY.decode(part) for part in record["folds"]]
    if not parts or not all(_sound(part) for part in parts):
        raise ContractError(
            Reason.INVALID, "a horizon summary that no fold wrote: it speaks of what is not in it"
        )
    return HorizonSummary(
        node=(record["identifier"]["type"], record["identifier"]["value"]),
        version=record["version"],
        boundary=(record["boundary_at"], record["boundary_event_id"]),
        late=record["late"],
        seen=BloomFilter(record["seen"]),
        # an older version's are written anew: `unfold` reads the current schema only
        folds=tuple(
            raw if raw.startswith(FOLD_SUMMARY.header) else FOLD_SUMMARY.encode(part)
            for raw, part in zip(record["folds"], parts, strict=True)
        ),
        first_seen=parts[0]["first_seen"],
        touchpoints=sum(part["touchpoints"] for part in parts),
    )


def join(one: HorizonSummary, other: HorizonSummary) -> HorizonSummary:
    """Two summaries of one identifier: one after the other (after a contested cut that was taken back) add up.

    Of two that overlap, the larger stays: it is the same one, later. Joining one twice changes nothing.
    """
    first, second = sorted((one, other), key=lambda item: (item.first_seen, item.boundary))
    version, seen = max(one.version, other.version), one.seen.union(other.seen)
    if first.boundary[0] < second.first_seen:
        return replace(
            second, folds=first.folds + second.folds, first_seen=first.first_seen, version=version, seen=seen,
            touchpoints=first.touchpoints + second.touchpoints, late=first.late + second.late,
        )  # fmt: skip
    larger = max(one, other, key=lambda item: (item.touchpoints, item.boundary, item.folds))
    return replace(larger, late=max(one.late, other.late), version=version, seen=seen)


def begin(
    summaries: Mapping[Node, Fold],
    older: Iterable[tuple[Node, Touchpoint]],
    catalogue: Catalogue,
    rules: JourneyRules,
) -> Fold:
    """The fold with which a profile's fold begins: its summaries, identifier by identifier.

    `older` are the touchpoints of other identifiers that are not newer than the newest boundary: they cannot follow
    the summaries in order, so each joins its own identifier's.
    """
    folds = dict(summaries)
    waiting: dict[Node, list[Touchpoint]] = {}
    for node, touchpoint in older:
        if node not in folds:
            folds[node] = Fold(catalogue, rules)
        waiting.setdefault(node, []).append(touchpoint)
    for node, touchpoints in waiting.items():
        advance_all(folds[node], _owned(node, touchpoints))
    ordered = [fold for _, fold in sorted(folds.items())]
    for fold in ordered[1:]:
        ordered[0].absorb(fold)
    return ordered[0]


def fold_timeline(
    timeline: Sequence[tuple[Node, Touchpoint]], catalogue: Catalogue, rules: JourneyRules
) -> Fold:
    """The fold over a profile's whole timeline, as if it had arrived in order: what replay does.

    `timeline`: the touchpoints with their owners, in fold order, all copies of each event among them.
    """
    own: Sequence[tuple[Node, Touchpoint]] = _best_by(timeline, lambda item: (item[0], event_key(item[1])))
    places: dict[Node, dict[Stamp, int]] = {}
    for node, touchpoint in own:
        places.setdefault(node, {})[_place(touchpoint)] = text_of(touchpoint)
    ends = {
        node: block_ends(list(texts), rules, texts.__getitem__, sum(texts.values()))
        for node, texts in places.items()
    }
    boundaries = {node: list(places[node])[max(found) - 1] for node, found in ends.items() if found}
    beyond: dict[Node, list[Touchpoint]] = {node: [] for node in boundaries}
    kept: list[tuple[Node, Touchpoint]] = []
    for node, touchpoint in own:
        # what is summed up counts, and copies of it that other identifiers own count beside it
        if node in boundaries and _place(touchpoint) <= boundaries[node]:
            beyond[node].append(touchpoint)
        else:
            kept.append((node, touchpoint))
    counting = _best_by(kept, lambda item: event_key(item[1]))
    start = 0
    fold = Fold(catalogue, rules)
    if boundaries:
        start = bisect_right(counting, max(boundaries.values()), key=lambda item: _place(item[1]))
        summaries = {node: Fold(catalogue, rules) for node in beyond}
        for node, touchpoints in beyond.items():
            advance_blocks(summaries[node], node, touchpoints, ends[node])
        fold = begin(summaries, counting[:start], catalogue, rules)
    advance_all(
        fold,
        ((touchpoint, Identifier(type=node[0], value=node[1])) for node, touchpoint in counting[start:]),
    )
    return fold


def advance_blocks(fold: Fold, node: Node, touchpoints: Sequence[Touchpoint], ends: Iterable[int]) -> None:
    """Fold touchpoints beyond the horizon, in order, block by block, as if each block had been summed up by itself."""
    start = 0
    for end in ends:
        advance_all(fold, _owned(node, touchpoints[start:end]))
        start = end


def _owned(node: Node, touchpoints: Iterable[Touchpoint]) -> Iterator[Owned]:
    owner = Identifier(type=node[0], value=node[1])
    return ((touchpoint, owner) for touchpoint in touchpoints)


def _place(touchpoint: Touchpoint) -> Stamp:
    return touchpoint["occurred_at"], event_key(touchpoint)


def _best_by(
    timeline: Sequence[tuple[Node, Touchpoint]], what: Callable[[tuple[Node, Touchpoint]], Hashable]
) -> Sequence[tuple[Node, Touchpoint]]:
    """Of the touchpoints that have `what` in common the best copy; their order stays."""
    best: dict[Hashable, tuple[Node, Touchpoint]] = {}
    for item in timeline:
        known = best.setdefault(what(item), item)
        if known is not item and rank_of(item[1]) < rank_of(known[1]):
            best[what(item)] = item
    if len(best) == len(timeline):
        return timeline
    return [item for item in timeline if best[what(item)] is item]


def _sound(summary: dict[str, Any]) -> bool:
    """Whether a summary's parts agree: Avro has checked their types, not that sessions named by number are there."""
    sessions = [summary["latest_session"], summary["unnamed_session"]]
    sessions += [
        item["session"] for name in ("named_sessions", "expectations", "issues") for item in summary[name]
    ]
    pool = len(summary["session_pool"])
    known = all(number is None or 0 <= number < pool for number in sessions)
    return summary["touchpoints"] > 0 and bool(summary["owners"]) and known and sound(summary)
