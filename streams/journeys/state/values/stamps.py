"""Stamps: positions in the fold order, and values that the first or the last stamp decides."""

from typing import Any, TypeAlias

#: (occurred_at, event): the position of a touchpoint in its journey. The event is an `event_key`
#: (schemas/touchpoint/events.py). No two stamps of one journey are equal. They sort by (occurred_at, event_id, source).
Stamp: TypeAlias = tuple[int, str]
#: A value with the stamp of its touchpoint: (occurred_at, event, value).
Marked: TypeAlias = tuple[int, str, Any]


def first_of(one: Marked | None, other: Marked | None) -> Marked | None:
    """The value with the smaller stamp."""
    if one is None or other is None:
        return one or other
    return one if one[:2] <= other[:2] else other


def last_of(one: Marked | None, other: Marked | None) -> Marked | None:
    """The value with the larger stamp."""
    if one is None or other is None:
        return one or other
    return one if one[:2] >= other[:2] else other


def dump_marked(marked: Marked | None) -> dict[str, Any] | None:
    """As FoldSummary.avsc holds it."""
    return None if marked is None else {"at": marked[0], "event_id": marked[1], "value": marked[2]}


def load_marked(record: dict[str, Any] | None) -> Marked | None:
    """Back from `dump_marked`."""
    return None if record is None else (record["at"], record["event_id"], record["value"])
