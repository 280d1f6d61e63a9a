"""Queries ClickHouse for everything about the owner of an identifier that a person names."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from clickhouse_driver import Client

from deploy.screens.journey.facts import Facts, OpenIssue, Promise, RaisedSignal, Touch
from schemas.errors import SettingsError, UnseenError
from schemas.records import Identifier
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect, translated
from sinks.clickhouse.read.query import read_only
from sinks.clickhouse.read.subject import Subject
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.resolution.definition import own_profile
from streams.identity.resolution.ownership import node_of

#: Stands where an identifier's type would: the value is a profile id, as views and signals show it.
PROFILE: Final = "profile"
#: The timeline's length, counted back from the newest touchpoint, and its most touchpoints.
WINDOW_DAYS: Final = 60
MAX_TOUCHES: Final = 400
MAX_SIGNALS: Final = 20

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ASSIGNMENT: Final = """
    SELECT profile_id, contested_from, contested_profile_id
    FROM identity_current
    WHERE tenant = %(tenant)s AND identifier_type = %(type)s AND identifier_value = %(value)s"""
_STATE: Final = """
    SELECT *,
        arrayMap(i -> (i.issue_id, i.opened_at, i.last_contact_at, i.contacts, i.channels, i.due_at), open_issues)
            AS issue_rows,
        arrayMap(e -> (e.kind, e.opened_at, e.due_at, e.status), expectations) AS expectation_rows
    FROM journeys
    WHERE tenant = %(tenant)s AND profile_id = toUUIDOrZero(%(profile)s)"""
#: What an identifier that nobody shares has seen belongs to its owner now. The loader rewrites `profile_id` of the rows
#: only some time after a merge, and until then the journey would lack what it counts.
_TOUCHES: Final = """
    SELECT occurred_at, event_id, channel, type, issue_id, amount_minor, currency
    FROM touchpoints_current
    WHERE tenant = %(tenant)s AND occurred_at >= %(since)s
        AND (identifier_type, identifier_value) IN %(identifiers)s
        AND (profile_id = toUUIDOrZero(%(profile)s) OR (identifier_type, identifier_value) IN (
            SELECT identifier_type, identifier_value FROM identity_current
            WHERE tenant = %(tenant)s AND (identifier_type, identifier_value) IN %(identifiers)s
                AND profile_id = toUUIDOrZero(%(profile)s) AND contested_from IS NULL))
    ORDER BY occurred_at DESC, event_id DESC
    LIMIT %(limit)s"""
_SIGNALS: Final = """
    SELECT kind, occurred_at, rule, details
    FROM signals_open
    WHERE tenant = %(tenant)s AND profile_id = toUUIDOrZero(%(profile)s)
    ORDER BY occurred_at DESC, kind
    LIMIT %(limit)s"""
_ACCOUNT: Final = "SELECT * FROM accounts WHERE tenant = %(tenant)s AND account_id = %(account)s"


class UnknownPersonError(UnseenError):
    """ClickHouse knows no owner of an identifier. Response: one sentence, exit code 1."""


def parse(text: str) -> Identifier:
    """`TYPE:VALUE` as an identifier. Raises SettingsError."""
    kind, colon, value = text.partition(":")
    if not (kind and colon and value):
        raise SettingsError(f"{text!r} names nobody: write TYPE:VALUE, like email:ann@shop.de")
    return {"type": kind, "value": value}


def look_up(where: ClickHouse, policy: IdentityPolicy, tenant: str, asked: str, now: int) -> Facts:
    """Everything about the person behind an identifier at `now` (UTC ms).

    Raises UnknownPersonError, SettingsError for what is no identifier, and what `connect` raises.
    """
    identifier = parse(asked)
    client = connect(where)
    try:
        with translated(where):
            question = _Question(client, tenant, read_only(where))
            profile_id, shared_from = _profile_of(question, policy, identifier, asked, now)
            merged_from = None
            if identifier["type"] == PROFILE:
                with Subject(where, tenant) as subject:
                    present = subject.present_profile(profile_id)
                if present not in (None, profile_id):
                    merged_from, profile_id = profile_id, str(present)
            return _facts(question, asked, profile_id, shared_from, merged_from)
    finally:
        client.disconnect()


class _Question:
    """Queries about one tenant; rows come as mappings, their times as UTC milliseconds."""

    def __init__(self, client: Client, tenant: str, settings: Mapping[str, int]) -> None:
        self._client = client
        self._settings = dict(settings)
        self.tenant = tenant

    def ask(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        rows, columns = self._client.execute(
            sql, {"tenant": self.tenant, **values}, with_column_types=True, settings=self._settings
        )
        names = [name for name, _ in columns]
        return [dict(zip(names, map(_plain, row), strict=True)) for row in rows]


def _profile_of(
    question: _Question, policy: IdentityPolicy, identifier: Identifier, asked: str, now: int
) -> tuple[str, int | None]:
    """The identifier's owner at `now`; and, of a shared identifier, since when it is shared."""
    if identifier["type"] == PROFILE:
        return identifier["value"].lower(), None
    usable = policy.usable([identifier])
    if not usable:
        raise UnknownPersonError(f"nobody is known by {asked}: the identity policy blocks this value")
    found = [row for one in usable for row in question.ask(_ASSIGNMENT, **one)]
    if not found:
        return own_profile(question.tenant, node_of(usable[0])), None
    row = found[0]
    if row["contested_from"] is not None and now >= row["contested_from"]:
        return row["contested_profile_id"], row["contested_from"]
    return row["profile_id"], None


def _facts(
    question: _Question, asked: str, profile_id: str, shared_from: int | None, merged_from: str | None
) -> Facts:
    states = question.ask(_STATE, profile=profile_id)
    if not states:
        raise UnknownPersonError(
            f"nobody is known by {asked} in tenant {question.tenant!r}"
            + (": it is a shared device that nobody has used since" if shared_from is not None else "")
        )
    state = states[0]
    issues = tuple(
        OpenIssue(name, opened, last, contacts, tuple(channels), due)
        for name, opened, last, contacts, channels, due in state.pop("issue_rows")
    )
    promises = tuple(Promise(*row) for row in state.pop("expectation_rows"))
    touches = question.ask(
        _TOUCHES, profile=profile_id, identifiers=state["identifiers"], limit=MAX_TOUCHES,
        since=_EPOCH + timedelta(milliseconds=state["as_of"]) - timedelta(days=WINDOW_DAYS),
    )  # fmt: skip
    signals = question.ask(_SIGNALS, profile=profile_id, limit=MAX_SIGNALS)
    accounts = question.ask(_ACCOUNT, account=state["account_id"]) if state["account_id"] else []
    return Facts(
        tenant=question.tenant,
        asked=asked,
        profile_id=profile_id,
        shared_from=shared_from,
        merged_from=merged_from,
        state=state,
        issues=issues,
        promises=promises,
        touches=tuple(_touch(row) for row in reversed(touches)),
        signals=tuple(RaisedSignal(**row) for row in signals),
        account=accounts[0] if accounts else None,
    )


def _touch(row: Mapping[str, Any]) -> Touch:
    return Touch(
        row["occurred_at"], row["event_id"], row["channel"], row["type"], row["issue_id"],
        row["amount_minor"], row["currency"],
    )  # fmt: skip


def _plain(value: Any) -> Any:
    """A value with every time in it, nested ones too, as UTC milliseconds."""
    if isinstance(value, datetime):
        return (value.replace(tzinfo=value.tzinfo or UTC) - _EPOCH) // timedelta(milliseconds=1)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value] if isinstance(value, list) else tuple(map(_plain, value))
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
