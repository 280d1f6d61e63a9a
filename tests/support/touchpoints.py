"""Builder of touchpoints for tests: only what matters is said."""

from typing import Any

from schemas.records import Touchpoint

#: 2026-01-01T00:00:00Z
START = 1_767_225_600_000


def touchpoint(
    event_id: str = "e1",
    *,
    minute: float = 0,
    type: str = "product_view",  # noqa: A002 (the field's name)
    ids: list[tuple[str, str]] | None = None,
    **fields: Any,
) -> Touchpoint:
    at = START + int(minute * 60_000)
    return Touchpoint(
        **{
            "tenant": "default",
            "event_id": event_id,
            "occurred_at": at,
            "received_at": at,
            "source": "test",
            "channel": "web",
            "type": type,
            "identifiers": [{"type": t, "value": v} for t, v in (ids or [("cookie", "a")])],
            "account_id": None,
            "session_id": None,
            "issue_id": None,
            "order_id": None,
            "campaign": None,
            "amount_minor": None,
            "currency": None,
            "sentiment": None,
            "score": None,
            "consent": {},
            "experiments": {},
            "link": "OBSERVED",
            "attributes": {},
            **fields,
        }
    )
