"""The journey that the Python peers keep for each profile, as a user would write it: a dictionary ready for JSON.

A smaller state than Touchline's: its figures are the ones that every peer can be checked on, and some more.
"""

import json
from pathlib import Path
from typing import Any, Final

SESSION_GAP_MS: Final = 30 * 60 * 1000
DAY_MS: Final = 24 * 60 * 60 * 1000
RECENT: Final = 20

#: A decoded Touchpoint, or a state: what becomes JSON.
Json = dict[str, Any]


class Meanings:
    """What each touchpoint type means: read once from the harness's JSON file."""

    def __init__(self, path: Path) -> None:
        types = json.loads(path.read_text())["types"]
        self.stage: dict[str, str] = {name: kind["stage"] for name, kind in types.items() if kind["stage"]}
        self.friction: dict[str, float] = {name: kind["friction"] for name, kind in types.items()}
        self.orders = frozenset(name for name, kind in types.items() if kind["order"])


def advance(state: Json | None, touchpoint: Json, meanings: Meanings) -> Json:
    """The state after one more touchpoint, the newest of its profile; the state before is left as it was."""
    at, kind, channel = touchpoint["occurred_at"], touchpoint["type"], touchpoint["channel"]
    if state is None:
        state = _nothing(at)
    channels, revenue, orders = state["channels"], state["revenue"], state["orders"]
    gap = at - state["last_seen"]
    if kind in meanings.orders:
        orders += 1
        currency, amount = touchpoint["currency"], touchpoint["amount_minor"]
        if amount is not None:
            revenue = {**revenue, currency: revenue.get(currency, 0) + amount}
    return {
        "touchpoints": state["touchpoints"] + 1,
        "first_seen": state["first_seen"],
        "last_seen": at,
        "channels": {**channels, channel: channels.get(channel, 0) + 1},
        "sessions": state["sessions"] + (gap > SESSION_GAP_MS),
        "last_channel": channel,
        "orders": orders,
        "revenue": revenue,
        "friction": state["friction"] * 0.5 ** (gap / DAY_MS) + meanings.friction.get(kind, 0.0),
        "stage": meanings.stage.get(kind, state["stage"]),
        "recent": [*state["recent"][1 - RECENT :], [touchpoint["event_id"], at, channel, kind]],
    }


def _nothing(at: int) -> Json:
    """Before the first touchpoint, which begins the first session."""
    return {
        "touchpoints": 0, "first_seen": at, "last_seen": at, "channels": {}, "sessions": 1, "last_channel": "",
        "orders": 0, "revenue": {}, "friction": 0.0, "stage": "", "recent": [],
    }  # fmt: skip
