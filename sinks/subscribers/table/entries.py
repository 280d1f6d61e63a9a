"""Records of the compacted topics as rows of the table: whose they are, their rank, and what stands for them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas import topics
from schemas.consumed import KafkaRecord
from schemas.encoding.codec import decode_as
from schemas.errors import ContractError, Reason
from schemas.headers import tombstone_version
from schemas.internal import check_internal, check_tombstone, erased_assignment
from schemas.keys import account_key, identifier_key, profile_key
from schemas.records import Record
from schemas.topics import Topic
from schemas.version_bounds import VersionBounds

#: The topics that the table follows, with the name that their rows have in it.
FOLLOWED: Final[Mapping[Topic, str]] = {
    topics.JOURNEY_STATES: "states",
    topics.IDENTITY_ASSIGNMENTS: "assignments",
    topics.ACCOUNT_STATES: "accounts",
}
_KEY_OF: Final[Mapping[Topic, Callable[[Any], bytes]]] = {
    topics.JOURNEY_STATES: lambda body: profile_key(body["tenant"], body["profile_id"]),
    topics.IDENTITY_ASSIGNMENTS: lambda body: identifier_key(body["tenant"], body["identifier"]),
    topics.ACCOUNT_STATES: lambda body: account_key(body["tenant"], body["account_id"]),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of a followed topic. Of the entries with one kind and key, the one with the highest `rank` counts."""

    kind: str  #: a value of FOLLOWED
    key: bytes
    version: int
    partition: int
    offset: int
    timestamp: int  #: of the Kafka record, UTC ms
    value: bytes | None  #: the Avro single object as it came; None for a tombstone
    body: Record | None  #: the value decoded

    @property
    def rank(self) -> tuple[int, int]:
        """Version, then offset: of equal versions the one that was published later counts, whoever reads it first."""
        return self.version, self.offset

    @property
    def tenant(self) -> str:
        """The tenant that the key names."""
        return self.key.partition(b"/")[0].decode()

    @property
    def name(self) -> str:
        """What the key names within its tenant: a profile id, `type:value`, or an account id."""
        return self.key.partition(b"/")[2].decode()


def read_entry(topic: Topic, record: KafkaRecord, bounds: VersionBounds | None = None) -> Entry:
    """The entry that a record of a followed topic makes.

    With `bounds` it is checked by every rule of schemas/internal.py, so that no forged version hides later ones.
    Raises ContractError for a record that Touchline publishes nowhere: the loader accounts for it (docs/delivery.md).
    """
    if record.value is None:
        return _tombstone(topic, record, bounds)
    name = topic.values[0]
    body = decode_as(name, record.value)
    if bounds is not None:
        check_internal(name, body, record, bounds)
    elif record.key != _KEY_OF[topic](body):
        key = (record.key or b"")[:80]
        raise ContractError(Reason.INVALID, f"a record on {topic.name} whose key is not its value's: {key!r}")
    return Entry(
        FOLLOWED[topic], record.key or b"", body["version"], record.partition, record.offset, record.timestamp,
        record.value, body,
    )  # fmt: skip


def _tombstone(topic: Topic, record: KafkaRecord, bounds: VersionBounds | None) -> Entry:
    version = tombstone_version(record)
    if version is None:
        raise ContractError(
            Reason.INVALID, f"a tombstone on {topic.name} without a version: Touchline publishes none"
        )
    key = record.key or b""
    if bounds is not None:
        check_tombstone(topic, record, version, bounds)
    elif topic is topics.IDENTITY_ASSIGNMENTS and _KEY_OF[topic](erased_assignment(record)) != key:
        raise ContractError(Reason.INVALID, "a tombstone whose assignment is about another identifier")
    try:
        tenant, slash, name = key.decode().partition("/")
    except UnicodeDecodeError as error:
        raise ContractError(Reason.INVALID, f"a tombstone on {topic.name} whose key is no text") from error
    if not (tenant and slash and name):
        raise ContractError(Reason.INVALID, f"a tombstone on {topic.name} that names nothing: {key[:80]!r}")
    return Entry(FOLLOWED[topic], key, version, record.partition, record.offset, record.timestamp, None, None)
