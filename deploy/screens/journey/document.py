"""The screen for programs: the same facts and conclusions as one JSON object; times are ISO 8601."""

from collections.abc import Iterable
from typing import Any, Final

from deploy.screens.journey.context import Context
from deploy.screens.journey.facts import Touch
from deploy.screens.journey.hints import Hint
from schemas.touchpoint.json_form import to_iso

#: Columns of `journeys` and `accounts` that are times, alone or as the values of a map.
_TIMES: Final = frozenset(
    ("as_of", "first_seen", "last_seen", "stage_since", "session_started_at", "session_last_at", "last_at",
     "stages", "components", "channels_last_at", "marketing_first_at", "marketing_last_at")
)  # fmt: skip
#: Columns that stand elsewhere in the document, by name instead of by place.
_ELSEWHERE: Final = ("open_issues", "expectations", "recent", "identifiers", "likely_next", "oldest_issues")


def document(context: Context, hints: Iterable[Hint]) -> dict[str, Any]:
    """Everything about one person."""
    facts = context.facts
    return {
        "asked": facts.asked,
        "tenant": facts.tenant,
        "profile_id": facts.profile_id,
        "merged_from": facts.merged_from,
        "now": to_iso(context.now),
        "shared_from": None if facts.shared_from is None else to_iso(facts.shared_from),
        "identifiers": [{"type": kind, "value": value} for kind, value in facts.state["identifiers"]],
        "here_now": context.here_now,
        "wants": [{"wish": h.wish, "because": h.because, "probability": h.probability} for h in hints],
        "open_issues": [
            {
                "issue_id": issue.issue_id,
                "opened_at": to_iso(issue.opened_at),
                "due_at": to_iso(issue.due_at),
                "last_contact_at": to_iso(issue.last_contact_at),
                "contacts": issue.contacts,
                "channels": list(issue.channels),
                "overdue": issue in context.overdue,
            }
            for issue in facts.issues
        ],
        "went_wrong": [
            {**_touch(trouble.touch), "friction": trouble.friction, "ouch": trouble.ouch}
            for trouble in context.troubles
        ],
        "last_24_hours": [_touch(touch) for stretch in context.tried for touch in stretch.touches],
        "last_24_hours_left_out": context.tried_before,
        "expectations": [
            {
                "kind": promise.kind,
                "opened_at": to_iso(promise.opened_at),
                "due_at": to_iso(promise.due_at),
                "status": promise.status,
            }
            for promise in facts.promises
        ],
        "signals": [
            {
                "kind": signal.kind,
                "occurred_at": to_iso(signal.occurred_at),
                "rule": signal.rule,
                "details": dict(signal.details),
            }
            for signal in facts.signals
        ],
        "best_channel": context.best_channel or None,
        "state": _columns(facts.state),
        "account": None if facts.account is None else _columns(facts.account),
    }


def _columns(row: Any) -> dict[str, Any]:
    return {
        name: _time(value) if name in _TIMES else value
        for name, value in row.items()
        if name not in _ELSEWHERE
    } | ({"stages": row["stages"]} if "members" in row else {})


def _time(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _time(item) for name, item in value.items()}
    return None if value is None else to_iso(value)


def _touch(touch: Touch) -> dict[str, Any]:
    return {
        "occurred_at": to_iso(touch.at),
        "event_id": touch.event_id,
        "channel": touch.channel,
        "type": touch.type,
        "issue_id": touch.issue_id or None,
        "amount_minor": touch.amount_minor,
        "currency": touch.currency or None,
    }
