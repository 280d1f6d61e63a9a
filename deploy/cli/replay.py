"""`touchline replay`: the pure core over files, for trying a policy before it goes live."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from deploy.cli.intake import tell_unseen
from deploy.cli.output import print_mapping, remark
from deploy.cli.run_key import load_for_run
from deploy.ingest.files import Entry
from deploy.ingest.mapping_file import load_mapping
from deploy.ingest.rejects import check_outputs
from deploy.ingest.touchpoint_files import TouchpointFiles
from schemas.catalogue import Catalogue
from schemas.errors import SettingsError
from schemas.settings import Settings
from streams.journeys.rules.rules import JourneyRules
from streams.replay import Replay

#: What the summary counts → the file that has it, a line each.
RESULTS: Final = {
    "touchpoints": "assignments.jsonl", "profiles": "states.jsonl", "accounts": "accounts.jsonl",
    "signals": "signals.jsonl", "changes": "changes.jsonl",
}  # fmt: skip


def command(
    files: Annotated[list[str], typer.Argument(help="JSON Lines or CSV files; - for standard input.")],
    out: Annotated[Path, typer.Option(help="Directory for the five result files.")],
    mapping: Annotated[str | None, typer.Option(help="TOML file saying which CSV column is what.")] = None,
    identity: Annotated[
        str | None, typer.Option(help="identity.toml to try; default: the configured one.")
    ] = None,
    rules: Annotated[
        str | None, typer.Option(help="journey.toml to try; default: the configured one.")
    ] = None,
    as_of: Annotated[str | None, typer.Option(help="ISO time for deadlines; default: now.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> int:
    """Resolve identities and fold journeys over files, in this process, without Kafka or ClickHouse.

    Writes assignments.jsonl, states.jsonl, accounts.jsonl, signals.jsonl and changes.jsonl. Every live run
    over the same events, with the same pseudonymisation key, ends in the same profiles and state hashes. Takes
    and refuses the lines that `publish` does, and names the refused ones on standard error; exit code 1 then.

    Example: touchline replay events.jsonl --out result --identity stricter.toml
    """
    settings = Settings.from_env()
    named_by = "--identity" if identity else "TOUCHLINE_IDENTITY_POLICY"
    (policy,) = load_for_run(settings, (identity or settings.identity_policy, named_by))
    replay = Replay(
        policy,
        Catalogue.load(settings.catalogue),
        JourneyRules.load(rules or settings.journey_rules),
    )
    now = _now(as_of)
    check_outputs((out / name for name in RESULTS.values()), files)
    sources = TouchpointFiles(files, load_mapping(mapping) if mapping else None)
    read = rejected = 0
    for entry in collect(sources, replay):
        read += 1
        if entry.error is not None:
            rejected += 1
            remark(f"{entry.file}:{entry.line}: {entry.error}")
    tell_unseen(sources)
    counts = write(replay, out, now)
    copies = sum(1 for _ in replay.copies())
    summary = {"read": read, "rejected": rejected, "copies_not_counted": copies, **counts}
    print_mapping(summary, as_json=as_json, title=f"Written to {out}")
    return 1 if rejected or sources.lacks_required() else 0


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


def _now(as_of: str | None) -> int:
    if as_of is None:
        return int(time.time() * 1000)
    try:
        moment = datetime.fromisoformat(as_of)
    except ValueError as error:
        raise SettingsError(
            f"--as-of is {as_of!r}: it must be an ISO time like 2026-01-31T12:00:00Z"
        ) from error
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp() * 1000)
