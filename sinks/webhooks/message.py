"""One message: what an endpoint is to know about one subject of one person, and what it knows."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple
from uuid import UUID, uuid5

from schemas.records import WebhookMessage, WebhookStatus
from sinks.webhooks.endpoints import RETRACTED

_NAMESPACE: Final = UUID("5b6f0c1e-8d1d-5b0e-9a53-0f4a3d2c1b60")
#: Times of one message that a frequency cap may count.
MAX_REACHED: Final = 100
_CHANGED: Final = ".changed"


class Person(NamedTuple):
    """A person as one endpoint sees them: their messages are delivered in order."""

    endpoint: str
    tenant: str
    profile_id: str


class Key(NamedTuple):
    """Names a message within the outbox."""

    person: Person
    subject: str


class Notice(NamedTuple):
    """What happened to a person: a signal's new status, or the new value of a field of the state."""

    tenant: str
    profile_id: str
    subject: str
    kind: str
    wanted: str
    version: int
    happened_at: int  #: UTC ms, when Kafka had it
    payload: bytes

    @property
    def is_change(self) -> bool:
        """Whether it is about a field of the state."""
        return self.kind.endswith(_CHANGED)

    @property
    def takes_back(self) -> bool:
        """Whether it says that a signal holds no longer."""
        return self.wanted == RETRACTED and not self.is_change


def kind_of_change(field_name: str) -> str:
    """The kind of a notice about a field of the state."""
    return field_name + _CHANGED


def webhook_id(key: Key, wanted: str, version: int) -> str:
    """The id of a message: a function of what it tells, so the same after a restart, and in every instance."""
    told = "/".join((*key.person, key.subject, wanted, str(version)))
    return f"msg_{uuid5(_NAMESPACE, told).hex}"


class Attempt(NamedTuple):
    """An attempt under way, as it was when it began: its message may be asked to tell something else meanwhile."""

    webhook_id: str
    kind: str
    wanted: str
    version: int
    happened_at: int
    payload: bytes
    number: int
    began: int  #: UTC ms
    takes_back: bool


@dataclass(slots=True)
class Message:
    """Fields are documented in WebhookMessage.avsc; `attempting` is the attempt under way."""

    key: Key
    kind: str
    wanted: str
    version: int
    webhook_id: str
    sequence: int
    happened_at: int
    due_at: int
    payload: bytes
    told: str = ""
    unsure: str = ""
    unsure_id: str = ""
    status: WebhookStatus = "PENDING"
    reason: str = ""
    attempts: int = 0
    first_at: int | None = None
    reached: list[int] = field(default_factory=list)
    settled_at: int | None = None
    attempting: "Attempt | None" = None

    @property
    def is_change(self) -> bool:
        """Whether it is about a field of the state."""
        return self.kind.endswith(_CHANGED)

    @property
    def takes_back(self) -> bool:
        """Whether it tells that a signal holds no longer."""
        return self.wanted == RETRACTED and not self.is_change

    @property
    def needed(self) -> bool:
        """Whether the endpoint does not know, or may not know, what it is to know."""
        known = self.told or ("" if self.is_change else RETRACTED)
        return bool(self.unsure_id) or self.attempting is not None or self.wanted != known

    @property
    def last_unsure(self) -> tuple[str, str]:
        """What the newest attempt told that has no answer, and its webhook_id; an attempt under way has none yet."""
        if self.attempting is not None:
            return self.attempting.wanted, self.attempting.webhook_id
        return self.unsure, self.unsure_id

    @property
    def pending(self) -> bool:
        """Whether it waits for an attempt."""
        return self.status == "PENDING"

    def record(self) -> WebhookMessage:
        """As the changelog keeps it. An attempt under way counts as one that may have reached the endpoint."""
        person = self.key.person
        unsure, unsure_id = self.last_unsure
        return {
            "endpoint": person.endpoint,
            "tenant": person.tenant,
            "profile_id": person.profile_id,
            "subject": self.key.subject,
            "kind": self.kind,
            "wanted": self.wanted,
            "told": self.told,
            "unsure": unsure,
            "unsure_id": unsure_id,
            "version": self.version,
            "webhook_id": self.webhook_id,
            "status": self.status,
            "reason": self.reason,
            "attempts": self.attempts,
            "sequence": self.sequence,
            "happened_at": self.happened_at,
            "first_at": self.first_at,
            "due_at": self.due_at,
            "reached": self.reached,
            "settled_at": self.settled_at,
            "payload": self.payload,
        }

    @classmethod
    def of(cls, record: WebhookMessage) -> "Message":
        """From the changelog. A pending message may have been attempted after it was written."""
        person = Person(record["endpoint"], record["tenant"], record["profile_id"])
        unsure, unsure_id = record["unsure"], record["unsure_id"]
        if record["status"] == "PENDING":
            unsure, unsure_id = record["wanted"], record["webhook_id"]
        return cls(
            key=Key(person, record["subject"]),
            kind=record["kind"],
            wanted=record["wanted"],
            version=record["version"],
            webhook_id=record["webhook_id"],
            sequence=record["sequence"],
            happened_at=record["happened_at"],
            due_at=record["due_at"],
            payload=record["payload"],
            told=record["told"],
            unsure=unsure,
            unsure_id=unsure_id,
            status=record["status"],
            reason=record["reason"],
            attempts=record["attempts"],
            first_at=record["first_at"],
            reached=list(record["reached"]),
            settled_at=record["settled_at"],
        )
