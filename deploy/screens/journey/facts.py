"""What ClickHouse knows of one person. Times are UTC milliseconds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Touch:
    """The fields of a touchpoint that the screen needs."""

    at: int
    event_id: str
    channel: str
    type: str
    issue_id: str = ""
    amount_minor: int | None = None
    currency: str = ""


@dataclass(frozen=True)
class OpenIssue:
    """A case that waits for its solution."""

    issue_id: str
    opened_at: int
    last_contact_at: int
    contacts: int
    channels: tuple[str, ...]
    due_at: int


@dataclass(frozen=True)
class Promise:
    """An expectation, like a cart: open, missed or met as of the newest touchpoint."""

    kind: str
    opened_at: int
    due_at: int
    status: str


@dataclass(frozen=True)
class RaisedSignal:
    """A signal that is raised and not retracted."""

    kind: str
    occurred_at: int
    rule: str
    details: Mapping[str, str]


@dataclass(frozen=True)
class Facts:
    """The results of all queries about one person; `state` and `account` have the columns of their views."""

    tenant: str
    asked: str  #: as it was typed
    profile_id: str
    shared_from: int | None  #: the identifier that was asked for is shared by several people since then
    merged_from: str | None  #: the profile that was asked for, if it was merged into this one
    state: Mapping[str, Any]
    issues: tuple[OpenIssue, ...]
    promises: tuple[Promise, ...]
    touches: tuple[Touch, ...]  #: oldest first; the newest of the last weeks
    signals: tuple[RaisedSignal, ...]  #: newest first
    account: Mapping[str, Any] | None
