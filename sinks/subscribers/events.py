"""Events of the streams, and which of them a reader asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from schemas import topics
from schemas.consumed import KafkaRecord
from schemas.encoding.record_types import JOURNEY_SIGNAL, JOURNEY_STATE, PROFILE_CHANGED
from schemas.errors import ContractError, Reason
from schemas.http.json_bytes import json_bytes
from schemas.keys import profile_key
from schemas.topics import Topic
from sinks.subscribers.table.entries import Entry

#: The streams and the topics that they tell of.
TOPICS: Final[Mapping[str, Topic]] = {
    "states": topics.JOURNEY_STATES, "signals": topics.JOURNEY_SIGNALS, "changes": topics.PROFILE_CHANGES,
}  # fmt: skip


@dataclass(slots=True)
class Event:
    """One event of a stream. What it says is written out when the first reader gets it, once for all of them."""

    name: str  #: of the event in the stream: state, gone, signal or change
    tenant: str
    profile_id: str  #: whose it is; of a merge, the survivor
    profiles: frozenset[str]  #: all that it concerns
    facts: Mapping[str, str | None]  #: what filters ask for
    partition: int
    offset: int
    size: int  #: bytes of the record in Kafka
    say: Callable[[], Mapping[str, Any]]
    _data: bytes | None = field(default=None, repr=False)

    @property
    def data(self) -> bytes:
        """The lines `event:` and `data:`, for server-sent events."""
        if self._data is None:
            self._data = b"event: %s\ndata: %s\n" % (self.name.encode(), json_bytes(self.say()))
        return self._data


@dataclass(frozen=True)
class Wanted:
    """What one reader asked for: events of a tenant that pass every filter."""

    tenant: str
    profiles: frozenset[str] = frozenset()  #: empty: of anybody
    facts: Mapping[str, frozenset[str]] = field(default_factory=dict)  #: fact → the values that pass

    def passes(self, event: Event) -> bool:
        """Whether the reader asked for this event. The end of a profile always passes: it may have passed before."""
        if event.tenant != self.tenant:
            return False
        if self.profiles and self.profiles.isdisjoint(event.profiles):
            return False
        return event.name == "gone" or all(
            event.facts.get(fact) in values for fact, values in self.facts.items()
        )


def state_event(entry: Entry) -> Event:
    """The event of a state that counts now, or of its end."""
    profile, body = entry.name, entry.body
    common = (entry.tenant, profile, frozenset((profile,)))
    if body is None or entry.value is None:
        gone = {"tenant": entry.tenant, "profile_id": profile, "version": entry.version}
        return Event("gone", *common, {}, entry.partition, entry.offset, len(entry.key), lambda: gone)
    facts = {"stage": body["stage"], "account": body["account_id"]}
    value = entry.value  # the decoded record is ten times as large, so it is not kept
    return Event(
        "state", *common, facts, entry.partition, entry.offset, len(value),
        partial(JOURNEY_STATE.decode_trusted, value),
    )  # fmt: skip


def signal_event(record: KafkaRecord) -> Event:
    """The event of a signal that was raised or retracted. Raises ContractError."""
    signal, value = JOURNEY_SIGNAL.decode(record.value), record.value or b""
    _require(record, profile_key(signal["tenant"], signal["profile_id"]))
    facts = {"kind": signal["kind"], "status": signal["status"]}
    return Event(
        "signal", signal["tenant"], signal["profile_id"], frozenset((signal["profile_id"],)), facts,
        record.partition, record.offset, len(value), partial(JOURNEY_SIGNAL.decode_trusted, value),
    )  # fmt: skip


def change_event(record: KafkaRecord) -> Event:
    """The event of a merge, a split or an erasure. Raises ContractError."""
    change, value = PROFILE_CHANGED.decode(record.value), record.value or b""
    _require(record, profile_key(change["tenant"], change["profile_id"]))
    return Event(
        "change", change["tenant"], change["profile_id"], frozenset((change["profile_id"], *change["others"])),
        {"kind": change["kind"]}, record.partition, record.offset, len(value),
        partial(PROFILE_CHANGED.decode_trusted, value),
    )  # fmt: skip


#: Stream → reads a record of its topic. States come through the table, which knows which of them counts.
READERS: Final[Mapping[str, Callable[[KafkaRecord], Event]]] = {
    "signals": signal_event,
    "changes": change_event,
}


def _require(record: KafkaRecord, key: bytes) -> None:
    if record.key != key:
        raise ContractError(Reason.INVALID, f"its key is {(record.key or b'')[:80]!r}, not that of its value")
