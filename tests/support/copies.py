"""Drawn events of which several are copies: retries that were restamped or changed, ids that two systems share."""

import os
from typing import Any, Final

from hypothesis import strategies as st

from schemas.records import Touchpoint
from schemas.touchpoint.events import event_key, rank_of
from tests.support.touchpoints import START, touchpoint

#: How many examples a law of copies draws; TOUCHLINE_LAW_EXAMPLES=10000 for a thorough run.
EXAMPLES: Final = int(os.environ.get("TOUCHLINE_LAW_EXAMPLES", "100"))

NODES: Final = [
    ("cookie", "a"),
    ("cookie", "b"),
    ("email", "x@y.org"),
    ("customer_id", "1"),
    ("customer_id", "2"),
]
identifiers = st.lists(st.sampled_from(NODES), min_size=1, max_size=3, unique=True)

#: Identifiers, minutes of occurring, minutes until it was received (below zero: a fast clock), asserted, number of the
#: event, source, cents.
drawn_event = st.tuples(
    identifiers, st.integers(0, 9), st.integers(-2, 3), st.booleans(), st.integers(0, 4),
    st.sampled_from(["erp", "crm"]), st.integers(0, 2),
)  # fmt: skip
drawn_events = st.lists(drawn_event, min_size=1, max_size=12)


def events_of(drawn: list[Any], scale: int = 1) -> list[Touchpoint]:
    """The touchpoints that were drawn; `scale`: minutes in a drawn one."""
    return [
        touchpoint(
            f"e{number}", minute=minute * scale, ids=ids, link="ASSERTED" if asserted else "OBSERVED", source=source,
            received_at=START + (minute + delay) * scale * 60_000, type="order_placed", amount_minor=cents,
            currency="EUR",
        )
        for ids, minute, delay, asserted, number, source, cents in drawn
    ]  # fmt: skip


def counting(owned: list[tuple[str, Touchpoint]]) -> dict[str, dict[str, Touchpoint]]:
    """Profile → event → the copy that counts, by the definition: of what each profile owns, the first received."""
    found: dict[str, dict[str, Touchpoint]] = {}
    for profile, one in sorted(owned, key=lambda item: rank_of(item[1])):
        found.setdefault(profile, {}).setdefault(event_key(one), one)
    return found
