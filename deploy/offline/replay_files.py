"""Gives the touchpoints of files to a replay, and writes what became of them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from deploy.ingest.reading.files import Entry
from deploy.ingest.touchpoint_files import TouchpointFiles
from streams.replay import Replay

#: What the summary counts → the file that has it, a line each.
RESULTS: Final = {
    "touchpoints": "assignments.jsonl", "profiles": "states.jsonl", "accounts": "accounts.jsonl",
    "signals": "signals.jsonl", "changes": "changes.jsonl",
}  # fmt: skip


def collect(sources: TouchpointFiles, replay: Replay) -> Iterator[Entry]:
    """Give every touchpoint to the replay; yield each line's entry, with its error if it was refused."""
    for sourced in sources:
        yield sourced.give(replay.add)


def write(replay: Replay, out: Path, now: int) -> dict[str, int]:
    """Write the five result files; return how many lines each has. `now`: UTC ms, for deadlines."""
    out.mkdir(parents=True, exist_ok=True)
    assignments = (
        {
            "tenant": o.touchpoint["tenant"],
            "source": o.touchpoint["source"],
            "event_id": o.touchpoint["event_id"],
            "profile_id": o.profile_id,
        }
        for o in replay.owned()
    )
    results: dict[str, Iterable[Mapping[str, Any]]] = {
        "touchpoints": assignments,
        "profiles": replay.states(),
        "accounts": replay.accounts(),
        "signals": replay.signals(now),
        "changes": replay.changes(),
    }
    return {name: _lines(out / RESULTS[name], records) for name, records in results.items()}


def _lines(path: Path, records: Iterable[Mapping[str, Any]]) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as file:
        for record in records:
            file.write(json.dumps(record, ensure_ascii=False) + "\n")
            count += 1
    return count
