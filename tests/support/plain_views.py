"""What question views must answer, as plain Python over the touchpoints that count: no SQL, no windows, no joins."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from schemas.currencies import minor_units
from schemas.records import Touchpoint
from streams.replay import Owned
from tests.support.built_in import CATALOGUE

Rows = list[dict[str, Any]]


def timelines(owned: Iterable[Owned]) -> dict[str, list[Touchpoint]]:
    """Profile → its touchpoints by time."""
    found: dict[str, list[Touchpoint]] = defaultdict(list)
    for one in sorted(owned, key=lambda item: item.touchpoint["occurred_at"]):
        found[one.profile_id].append(one.touchpoint)
    return found


def within(touchpoint: Touchpoint, since: int, until: int) -> bool:
    return since <= touchpoint["occurred_at"] < until


def friction(
    owned: Iterable[Owned], since: int, until: int
) -> dict[tuple[str, str, str], tuple[int, int, float]]:
    """(owner, type, channel) → touchpoints, profiles, friction."""
    people: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    found: dict[tuple[str, str, str], tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for one in owned:
        event, weight = one.touchpoint, CATALOGUE.type(one.touchpoint["type"]).friction
        if weight and within(event, since, until):
            key = CATALOGUE.owner(event["type"]), event["type"], event["channel"]
            people[key].add(one.profile_id)
            found[key] = found[key][0] + 1, found[key][1] + weight
    return {key: (count, len(people[key]), weight) for key, (count, weight) in found.items()}


def next_service_contacts(timeline: list[Touchpoint], solved_at: int, within_ms: int) -> int:
    """The service contacts of a person after a solution."""
    return sum(
        _is_service_contact(event) and solved_at < event["occurred_at"] <= solved_at + within_ms
        for event in timeline
    )


def _is_service_contact(event: Touchpoint) -> bool:
    kind = CATALOGUE.type(event["type"])
    return (
        kind.component == "service"
        and kind.direction == "inbound"
        and kind.effect not in ("survey", "issue_solved")
    )


def net_revenue(
    states: Iterable[dict[str, Any]],
) -> dict[str, Decimal]:
    """Currency → revenue of all journeys in major units; what ISO 4217 gives no exponent stays in minor units."""
    total: Counter[str] = Counter()
    for state in states:
        total.update(state["revenue"])
    return {code: Decimal(minor) / 10 ** (minor_units(code) or 0) for code, minor in total.items()}


def stage_changes(timeline: list[Touchpoint]) -> list[tuple[str, str, int]]:
    """(from, to, when) of one person; touchpoints of one time come in the order of the lifecycle."""
    named = [(event["occurred_at"], CATALOGUE.type(event["type"]).stage) for event in timeline]
    steps = sorted((at, CATALOGUE.stages.index(stage), stage) for at, stage in named if stage is not None)
    changes, stage = [], ""
    for at, _, entered in steps:
        if entered != stage:
            changes.append((stage, entered, at))
            stage = entered
    return changes


def answered_at(signal: dict[str, Any], timeline: list[Touchpoint]) -> int | None:
    """When the person first gave what a signal misses."""
    return min(
        (
            e["occurred_at"]
            for e in timeline
            if e["occurred_at"] > signal["occurred_at"] and _answers(signal, e)
        ),
        default=None,
    )


def _answers(signal: dict[str, Any], event: Touchpoint) -> bool:
    kind, meaning = signal["kind"], CATALOGUE.type(event["type"])
    if kind in ("abandoned_cart", "abandoned_checkout"):
        return meaning.effect == "order_placed"
    if kind == "quote_unanswered":
        return event["type"] in ("quote_accepted", "quote_declined", "contract_signed")
    if kind == "detractor":
        return event["score"] is not None and event["score"]["kind"] == "NPS" and event["score"]["value"] > 6
    if "issue_id" in signal["details"]:
        return meaning.effect == "issue_solved" and event["issue_id"] == signal["details"]["issue_id"]
    return meaning.direction == "inbound"


def contacted_at(signal: dict[str, Any], timeline: list[Touchpoint]) -> int | None:
    """When we first wrote to the person or called after a signal."""
    ours = (
        event["occurred_at"] for event in timeline if CATALOGUE.type(event["type"]).direction == "outbound"
    )
    return min((at for at in ours if at > signal["occurred_at"]), default=None)


def survey_answers(timeline: list[Touchpoint]) -> list[tuple[int, str, float, str, str]]:
    """(when, kind, value, stage, owner) of one person's answers."""
    changes, found = stage_changes(timeline), []
    for event in timeline:
        if event["score"] is None:
            continue
        at = event["occurred_at"]
        stage = ([to for _, to, when in changes if when <= at] or [""])[-1]
        found.append((at, event["score"]["kind"], event["score"]["value"], stage, _felt_last(timeline, at)))
    return sorted(found)


def _felt_last(timeline: list[Touchpoint], before: int) -> str:
    """The team of the last touchpoint before a time that is neither a survey nor ours, nor of an unknown type."""
    felt = []
    for event in timeline:
        kind = CATALOGUE.type(event["type"])
        met = CATALOGUE.known(event["type"]) and kind.direction != "outbound" and kind.effect != "survey"
        if met and event["occurred_at"] < before:
            key = event["occurred_at"], kind.friction, event["type"], event["channel"], event["event_id"]
            felt.append((key, CATALOGUE.owner(event["type"])))
    return max(felt)[1] if felt else ""


def experiment(
    lines: Iterable[list[Touchpoint]], name: str, since: int, until: int, within_ms: int
) -> tuple[dict[str, tuple[int, int]], int]:
    """Variant → people and how many of them ordered in time; and how many saw several variants."""
    found: dict[str, tuple[int, int]] = {}
    mixed = 0
    for timeline in lines:
        events = [event for event in timeline if within(event, since, until)]
        seen = [event for event in events if event["experiments"].get(name)]
        variants = {event["experiments"][name] for event in seen}
        mixed += len(variants) > 1
        if len(variants) != 1:
            continue
        first = seen[0]["occurred_at"]
        won = any(
            CATALOGUE.type(event["type"]).effect == "order_placed"
            and first <= event["occurred_at"] <= first + within_ms
            for event in events
        )
        people, converted = found.get(variant := variants.pop(), (0, 0))
        found[variant] = people + 1, converted + won
    return found, mixed


def received_hours(
    owned: Iterable[Owned], copies: Iterable[Owned], late_ms: int
) -> dict[tuple[int, str], tuple[int, int, int, int, int]]:
    """(hour, source) → touchpoints, late ones, those dated at their reception, unknown types, copies."""
    found: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0, 0, 0, 0, 0])
    for one in owned:
        event = one.touchpoint
        row = found[event["received_at"] // 3_600_000, event["source"]]
        late = event["received_at"] - event["occurred_at"]
        row[0] += 1
        row[1] += late > late_ms
        row[2] += late == 0
        row[3] += not CATALOGUE.known(event["type"])
    for one in copies:
        found[one.touchpoint["received_at"] // 3_600_000, one.touchpoint["source"]][4] += 1
    return {key: tuple(row) for key, row in found.items()}  # type: ignore[misc]
