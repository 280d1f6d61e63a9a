"""What only ClickHouse has: a person's touchpoints, open signals and evidence. It is a moment behind the table."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sinks.clickhouse.read.asking import Asking

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER: Final = 1 << 62  #: ms: after every event

#: A page begins below the last row of the one before, in this order.
_TIMELINE: Final = """
    SELECT occurred_at, event_id, source, channel, type, identifier_type, session_id, issue_id, order_id, campaign,
        amount_minor, currency, sentiment, account_id
    FROM person_touchpoints(tenant = %(tenant)s, profile_id = %(profile)s)
    WHERE (toUnixTimestamp64Milli(occurred_at), event_id, source) < (%(before)s, %(before_event)s, %(before_source)s)
    ORDER BY occurred_at DESC, event_id DESC, source DESC
    LIMIT %(limit)s"""
_SIGNALS: Final = """
    SELECT signal_id, subject_id, kind, occurred_at, rule, event_ids, details
    FROM signals_open
    WHERE tenant = %(tenant)s AND profile_id = %(profile)s
    ORDER BY occurred_at DESC, signal_id
    LIMIT %(limit)s"""
_EVIDENCE: Final = """
    SELECT left_type, left_value, right_type, right_value, kind, occurred_at, event_id, source, outcome
    FROM identity_evidence
    WHERE tenant = %(tenant)s AND (left_profile_id = %(profile)s OR right_profile_id = %(profile)s)
    ORDER BY occurred_at, left_type, left_value, right_type, right_value
    LIMIT %(limit)s"""


class History:
    """Asks as the analyst who may only read. Every method raises UnavailableError, SinkError or SettingsError."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking

    async def timeline(
        self, tenant: str, profile: str, limit: int, before: tuple[int, str, str] | None
    ) -> list[dict[str, Any]]:
        """The newest touchpoints, or those older than the one at `before` (its time, event id and source)."""
        at, event, source = before or (_NEVER, "", "")
        values = {"before": at, "before_event": event, "before_source": source}
        return await self._rows(_TIMELINE, tenant, profile, limit, **values)

    async def signals(self, tenant: str, profile: str, limit: int) -> list[dict[str, Any]]:
        """The signals that hold, newest first."""
        return await self._rows(_SIGNALS, tenant, profile, limit)

    async def evidence(self, tenant: str, profile: str, limit: int) -> list[dict[str, Any]]:
        """The links of the person's identifiers, and what became of each."""
        return await self._rows(_EVIDENCE, tenant, profile, limit)

    async def _rows(
        self, sql: str, tenant: str, profile: str, limit: int, **values: Any
    ) -> list[dict[str, Any]]:
        rows = await self._asking.rows(sql, {"tenant": tenant, "profile": profile, "limit": limit, **values})
        return [_plain(row) for row in rows]


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its times in UTC ms, as everywhere in the contract."""
    return {
        name: (value.replace(tzinfo=value.tzinfo or UTC) - _EPOCH) // timedelta(milliseconds=1)
        if isinstance(value, datetime)
        else value
        for name, value in row.items()
    }
