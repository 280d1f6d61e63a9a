"""A record as one line for a terminal, or as a JSON object."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rich.text import Text

from deploy.screens.tail.streams import Item, Stream
from schemas.records import Record
from schemas.words import several

#: Characters of an id that a line shows where it must fit a terminal. --json and wide terminals show all.
SHORT: Final = 8
#: From this width on ids stand whole.
WIDE: Final = 120
_GONE: Final = "gone: merged into another profile, or erased"
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

Cell = tuple[str, str]  #: text and style


def line(stream: Stream, item: Item, width: int | None) -> Text:
    """One line of at most `width` columns; None for as long as it needs."""
    whole = width is None or width >= WIDE
    subject = item.subject if whole or stream.name == "accounts" else item.subject[:SHORT]
    tenant = "" if item.tenant == "default" else f"{item.tenant}/"
    cells: list[Cell] = [(f"{_moment(item.at):%H:%M:%S}", "dim"), (f"{tenant}{subject}", "cyan")]
    if item.record is None:
        cells.append((_GONE if stream.name != "accounts" else "gone: no members", "magenta"))
    else:
        cells += _CELLS[stream.name](item.record, whole)
    text = Text(no_wrap=True, overflow="ellipsis", end="")
    for number, (part, style) in enumerate(cells):
        text.append("  " if number else "").append(_CONTROLS.sub("\N{REPLACEMENT CHARACTER}", part), style)
    if width is not None:
        text.truncate(width, overflow="ellipsis")
    text.rstrip()
    return text


def document(stream: Stream, item: Item) -> dict[str, Any]:
    """The record with its place and version, as `--json` prints it; times of the record stay UTC milliseconds."""
    return {
        "stream": stream.name,
        "partition": item.partition,
        "offset": item.offset,
        "at": _moment(item.at),
        "tenant": item.tenant,
        stream.subject: item.subject,
        "version": item.version,
        "gone": item.record is None,
        "record": item.record,
    }


def _state(state: Record, _: bool) -> list[Cell]:
    last = state["recent"][-1] if state["recent"] else {"channel": "", "type": ""}
    issues = len(state["open_issues"])
    friction = state["friction"]
    return [
        (f"{state['stage'] or 'no stage':<12}", "bold"),
        (f"friction {friction:<5.1f}", "red" if friction >= 5 else ""),
        (several(issues, "open issue") if issues else "", "yellow"),
        (f"{last['type']} by {last['channel']}", ""),
    ]


def _signal(signal: Record, whole: bool) -> list[Cell]:
    raised = signal["status"] == "RAISED"
    why = signal["rule"]
    if not raised:
        why = (signal["reason"] or "").casefold()
        if signal["successor"]:
            why += f" to {signal['successor'] if whole else signal['successor'][:SHORT]}"
    return [
        (f"{'raised' if raised else 'retracted':<9}", "green" if raised else "magenta"),
        (f"{signal['kind']:<16}", "bold"),
        (why, ""),
        (f"by {', '.join(signal['event_ids'])}" if signal["event_ids"] else "", "dim"),
    ]


def _change(change: Record, whole: bool) -> list[Cell]:
    others = ", ".join(other if whole else other[:SHORT] for other in change["others"])
    verb = {"MERGED": "took in", "SPLIT": "gave rise to", "ERASED": "erased, from"}[change["kind"]]
    return [
        (f"{change['kind'].casefold():<6}", "bold"),
        (f"{verb} {others}", ""),
        (f"rule {change['rule']}, event {change['event_id']}", "dim"),
    ]


def _account(account: Record, _: bool) -> list[Cell]:
    last = account["last_touch"]
    issues = account["open_issues"]
    return [
        (several(account["members"], "member"), "bold"),
        (f"friction {account['friction_mean']:.1f}, at most {account['friction_max']:.1f}", ""),
        (several(issues, "open issue") if issues else "", "yellow"),
        (f"{last['type']} by {last['channel']}", ""),
    ]


_CELLS: Final[Mapping[str, Callable[[Record, bool], list[Cell]]]] = {
    "states": _state, "signals": _signal, "changes": _change, "accounts": _account,
}  # fmt: skip


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at / 1000, UTC)
