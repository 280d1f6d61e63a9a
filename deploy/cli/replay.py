"""`touchline replay`: the pure core over files, for trying a policy before it goes live."""

import json
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from deploy.cli.output import print_mapping, remarks
from deploy.sources.mapping import load_mapping
from deploy.sources.touchpoint_files import read_touchpoints
from schemas.catalogue import Catalogue
from schemas.errors import ContractError, SettingsError
from schemas.settings import Settings
from schemas.touchpoints import check
from streams.identity.load_policy import load as load_policy
from streams.journeys.rules import JourneyRules
from streams.replay import Replay


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
    over the same events ends in the same profiles and state hashes.

    Example: touchline replay events.jsonl --out result --identity stricter.toml
    """
    settings = Settings.from_env()
    replay = Replay(
        load_policy(
            identity or settings.identity_policy, settings.pseudonym_secret(), settings.pseudonym_key_id
        ),
        Catalogue.load(settings.catalogue),
        JourneyRules.load(rules or settings.journey_rules),
    )
    now = _now(as_of)
    read = rejected = 0
    for sourced in read_touchpoints(files, load_mapping(mapping) if mapping else None):
        read += 1
        error = sourced.entry.error
        if sourced.touchpoint is not None:
            try:
                check(sourced.touchpoint)
                replay.add(sourced.touchpoint)
            except ContractError as problem:
                error = problem
        if error is not None:
            rejected += 1
            remarks.print(f"{sourced.entry.file}:{sourced.entry.line}: {error}", markup=False, soft_wrap=True)
    counts = write(replay, out, now)
    print_mapping({"read": read, "rejected": rejected, **counts}, as_json=as_json, title=f"Written to {out}")
    return 1 if rejected else 0


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
    return {
        "touchpoints": _lines(out / "assignments.jsonl", assignments),
        "copies_not_counted": sum(1 for _ in replay.copies()),
        "profiles": _lines(out / "states.jsonl", replay.states()),
        "accounts": _lines(out / "accounts.jsonl", replay.accounts()),
        "signals": _lines(out / "signals.jsonl", replay.signals(now)),
        "changes": _lines(out / "changes.jsonl", replay.changes()),
    }


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
