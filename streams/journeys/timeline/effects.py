"""What a change to a timeline asks of the world: records to publish, and records of its changelog."""

from dataclasses import dataclass, field
from typing import Final

from schemas.records import IdentityAssignment, Touchpoint, Transfer
from streams.journeys.timeline.bloom_filter import BloomFilter
from streams.journeys.timeline.entry import Entry, Node
from streams.journeys.timeline.horizon_summary import HorizonSummary

#: Touchpoints in one Transfer: far below the broker's record limit at the usual few hundred bytes each.
TRANSFER_TOUCHPOINTS: Final = 256
TRANSFER_BYTES: Final = 512 * 1024


@dataclass(slots=True)
class Effects:
    """What a change to a timeline asks of the world."""

    forwards: list[tuple[str, bytes]] = field(default_factory=list)  #: owner, ResolvedTouchpoint
    transfers: list[Transfer] = field(default_factory=list)
    entries: dict[str, bytes | None] = field(default_factory=dict)  #: changelog: entry id → value or gone
    pointers: dict[Node, IdentityAssignment] = field(default_factory=dict)  #: changelog: newest assignments
    #: changelog: summaries; None is gone
    summaries: dict[Node, HorizonSummary | None] = field(default_factory=dict)
    #: changelog: of these entries and summaries something left before what is to be written came. A restore keeps the
    #: better of two records, so the changelog has to say that the earlier one is gone.
    cleared: set[str | Node] = field(default_factory=set)
    evidence: list[Touchpoint] = field(default_factory=list)  #: whose links identity must see once more
    emptied: bool = False  #: the last touchpoint left
    gone: dict[str, str | None] = field(default_factory=dict)  #: event → who has it now; None: it was erased
    #: the same of summaries, by the filter that knows their events
    gone_summaries: list[tuple[BloomFilter, str | None]] = field(default_factory=list)

    def write(self, entry_id: str, value: bytes) -> None:
        """Have the changelog hold a touchpoint."""
        if self.entries.get(entry_id, value) is None:
            self.cleared.add(entry_id)
        self.entries[entry_id] = value

    def write_summary(self, summary: HorizonSummary) -> None:
        """Have the changelog hold a summary."""
        if self.summaries.get(summary.node, summary) is None:
            self.cleared.add(summary.node)
        self.summaries[summary.node] = summary


def cut_into_transfers(
    sender: str, owner: str, assignment: IdentityAssignment, entries: list[Entry]
) -> list[Transfer]:
    """Cut touchpoints into Transfers that fit a record."""
    transfers: list[Transfer] = []
    size = TRANSFER_BYTES
    for entry in sorted(entries, key=lambda item: item.place):
        length = len(entry.value)
        size += length
        if size > TRANSFER_BYTES or len(transfers[-1]["touchpoints"]) >= TRANSFER_TOUCHPOINTS:
            transfers.append(
                Transfer(
                    profile_id=owner,
                    from_profile_id=sender,
                    assignment=assignment,
                    touchpoints=[],
                    frozen=None,
                )
            )
            size = length
        transfers[-1]["touchpoints"].append(entry.touchpoint())
    return transfers
