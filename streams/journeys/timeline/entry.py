"""A touchpoint on a timeline, and how it compares with the other copies of its event."""

from dataclasses import dataclass, field
from hashlib import blake2b

from schemas.encoding.record_types import RESOLVED_TOUCHPOINT
from schemas.records import Touchpoint
from schemas.touchpoint.events import Rank, rank_of
from streams.journeys.state.values.stamps import Stamp
from streams.journeys.timeline.block_ends import text_of

Node = tuple[str, str]


@dataclass(slots=True)
class Entry:
    """A touchpoint on the timeline, encoded: a decoded one takes several times the memory."""

    occurred_at: int
    event: str  #: its event_key
    node: Node  #: the identifier that owns it
    version: int  #: of the assignment under which it is here
    value: bytes  #: the ResolvedTouchpoint
    known_id: str | None = field(default=None, compare=False)
    #: worked out when its event has another copy
    known_rank: Rank | None = field(default=None, compare=False)
    #: worked out when the timeline has much text
    known_text: int | None = field(default=None, compare=False)

    @property
    def place(self) -> Stamp:
        """Where it stands in the fold order."""
        return self.occurred_at, self.event

    @property
    def id(self) -> str:
        """Its key in the changelog: entries with the same one take each other's place."""
        if self.known_id is None:
            self.known_id = id_of(self.touchpoint(), self.event, self.node)
        return self.known_id

    def rank(self) -> Rank:
        """Where it stands among the copies of its event."""
        if self.known_rank is None:
            self.known_rank = rank_of(self.touchpoint())
        return self.known_rank

    def text(self) -> int:
        """Its characters, as the horizon counts them."""
        if self.known_text is None:
            self.known_text = text_of(self.touchpoint())
        return self.known_text

    def touchpoint(self) -> Touchpoint:
        """The touchpoint, decoded."""
        return RESOLVED_TOUCHPOINT.decode_trusted(self.value)["touchpoint"]


def id_of(touchpoint: Touchpoint, event: str, node: Node) -> str:
    """The event, the time, the owner and a digest of the evidence: what the owner is linked with, and how."""
    carried = touchpoint["identifiers"]
    proof = ""
    if len(carried) > 1:
        names = [part for one in carried for part in (one["type"], one["value"])]
        proof = blake2b("\0".join((touchpoint["link"], *names)).encode(), digest_size=8).hexdigest()
    return f"{event}\0{touchpoint['occurred_at']}\0{node[0]}\0{node[1]}\0{proof}"


def best_by_owner(copies: list[Entry]) -> dict[Node, Entry]:
    """Of each owner the copy that would count if there were no other owners."""
    best: dict[Node, Entry] = {}
    for entry in copies:
        known = best.get(entry.node)
        if known is None or entry.rank() < known.rank():
            best[entry.node] = entry
    return best


def supersedes(entry: Entry, twin: Entry) -> bool:
    """Whether an entry replaces one with the same id: a better copy, or a newer version of it."""
    if entry.rank() != twin.rank():
        return entry.rank() < twin.rank()
    return entry.version > twin.version
