"""The right answers, computed directly over the workload, and the checks of what a system said. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.catalogue import Catalogue
from schemas.records import Touchpoint
from tests.benchmarks.peers.workload import profile_of

RECENT: Final = 20
#: How many wrong answers an error names.
SHOWN: Final = 3


class WrongAnswerError(Exception):
    """A system's answers are not those of the workload: its speed is worth nothing."""


@dataclass(frozen=True)
class Answer:
    """What a system says of one profile. Times are UTC milliseconds."""

    touchpoints: int
    first_seen: int
    last_seen: int
    orders: int
    revenue: tuple[tuple[str, int], ...]  #: currency and minor units, sorted
    recent: tuple[str, ...]  #: ids of the last 20 touchpoints, newest last


def expected(events: Iterable[Touchpoint], catalogue: Catalogue, *, net: bool) -> dict[str, Answer]:
    """Profile → answer. `net` takes what was returned, cancelled or refunded off the revenue, as Touchline does."""
    by_profile: dict[str, list[Touchpoint]] = {}
    for event in events:
        by_profile.setdefault(profile_of(event), []).append(event)
    return {profile: _answer(given, catalogue, net=net) for profile, given in by_profile.items()}


def of_state(state: Mapping[str, Any]) -> Answer:
    """The answer in a peer's state, or in Touchline's; `recent` is of records or of arrays that begin with the id."""
    recent = [one["event_id"] if isinstance(one, Mapping) else one[0] for one in state["recent"]]
    return Answer(
        touchpoints=state["touchpoints"], first_seen=state["first_seen"], last_seen=state["last_seen"],
        orders=state["orders"], revenue=tuple(sorted(state["revenue"].items())), recent=tuple(recent),
    )  # fmt: skip


def check(where: str, found: Mapping[str, Answer], right: Mapping[str, Answer]) -> None:
    """Raise WrongAnswerError unless both are the same."""
    wrong = [profile for profile in right.keys() | found.keys() if found.get(profile) != right.get(profile)]
    if wrong:
        shown = "\n".join(
            f"  {profile}: {found.get(profile)}\n    instead of {right.get(profile)}"
            for profile in sorted(wrong)[:SHOWN]
        )
        raise WrongAnswerError(f"{where}: {len(wrong)} of {len(right)} profiles are wrong\n{shown}")


def check_count(where: str, found: int, right: int) -> None:
    """Raise WrongAnswerError unless both are the same."""
    if found != right:
        raise WrongAnswerError(f"{where}: {found:,} instead of {right:,}")


def _answer(given: list[Touchpoint], catalogue: Catalogue, *, net: bool) -> Answer:
    given = sorted(given, key=lambda event: (event["occurred_at"], event["event_id"]))
    revenue: dict[str, int] = {}
    orders = 0
    for event in given:
        effect = catalogue.type(event["type"]).effect
        orders += effect == "order_placed"
        sign = {"order_placed": 1, "order_returned": -net, "order_cancelled": -net, "refund": -net}.get(
            str(effect), 0
        )
        if sign and event["amount_minor"] is not None and event["currency"] is not None:
            revenue[event["currency"]] = revenue.get(event["currency"], 0) + sign * event["amount_minor"]
    return Answer(
        len(given), given[0]["occurred_at"], given[-1]["occurred_at"], orders, tuple(sorted(revenue.items())),
        tuple(event["event_id"] for event in given[-RECENT:]),
    )  # fmt: skip
