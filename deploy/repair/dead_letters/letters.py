"""Dead letters with their offsets, the filter of a query, and counts by kind."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import nlargest
from typing import Final

from schemas import headers
from schemas.encoding.record_types import DEAD_LETTER
from schemas.errors import ContractError, Reason
from schemas.records import DeadLetter

#: The reasons that can be asked for.
REASONS: Final = tuple(reason.value for reason in Reason)


@dataclass(frozen=True)
class Letter:
    """A dead letter as it stands in its topic."""

    rejected_at: int  #: when the letter was written, UTC ms
    partition: int  #: of the dead-letters topic
    offset: int
    body: DeadLetter
    readable: bool = True  #: False: the record is no DeadLetter, and `body` is a stand-in

    @property
    def place(self) -> str:
        """Where the original record is: topic/partition/offset."""
        return f"{self.body['topic']}/{self.body['partition']}/{self.body['offset']}"

    def first_place(self, secret: bytes) -> str:
        """Where the record first failed: its own place, or the one it was replayed from.

        `secret` is the pseudonymisation key, by which this deployment knows its own headers; empty if there is none.
        """
        for header in self.body["headers"]:
            if header["name"] == headers.REPLAYED and header["value"]:
                return headers.believed_place(header["value"], secret) or self.place
        return self.place

    def order(self) -> tuple[int, int, int]:
        """Sort key: oldest first."""
        return self.rejected_at, self.partition, self.offset


@dataclass(frozen=True)
class Wanted:
    """A filter of letters; None matches any."""

    since: int | None = None  #: rejected at this time or later, UTC ms
    reason: str | None = None
    component: str | None = None
    topic: str | None = None  #: the original record's

    def matches(self, letter: Letter) -> bool:
        """Whether a letter passes the filter."""
        body = letter.body
        return (
            (self.since is None or letter.rejected_at >= self.since)
            and (self.reason is None or body["reason"] == self.reason)
            and (self.component is None or body["component"] == self.component)
            and (self.topic is None or body["topic"] == self.topic)
        )


@dataclass
class Summary:
    """How many letters there are of each kind, and the newest of them, newest first."""

    counts: Counter[tuple[str, str, str]] = field(default_factory=Counter)  #: reason, component, topic
    newest: list[Letter] = field(default_factory=list)

    def kinds(self) -> list[tuple[tuple[str, str, str], int]]:
        """Reason, component and topic with their counts, the most frequent first."""
        return sorted(self.counts.items(), key=lambda kind: (-kind[1], kind[0]))


def summarise(letters: Iterable[Letter], limit: int) -> Summary:
    """Count letters by reason, component and original topic; keep the newest `limit` of them."""
    summary = Summary()

    def counted() -> Iterator[Letter]:
        for letter in letters:
            body = letter.body
            summary.counts[body["reason"], body["component"], body["topic"]] += 1
            yield letter

    summary.newest = nlargest(limit, counted(), key=Letter.order)
    return summary


def read_letter(
    topic: str, partition: int, offset: int, timestamp: int, key: bytes | None, value: bytes | None
) -> Letter:
    """The letter in a record of the dead-letters topic; a stand-in if the record is none."""
    try:
        body: DeadLetter = DEAD_LETTER.decode(value)
    except ContractError as error:
        body = DeadLetter(
            reason=error.reason.value, error=f"not a dead letter: {error}", component="unknown", component_version="",
            topic=topic, partition=partition, offset=offset, recorded_at=timestamp, key=key, value=value, headers=[],
        )  # fmt: skip
        return Letter(timestamp, partition, offset, body, readable=False)
    return Letter(timestamp, partition, offset, body)
