"""`touchline replay`: the pure core over files, for trying a policy before it goes live."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.context import Context
from deploy.cli.intake import tell_rejected, tell_unseen
from deploy.cli.output import print_mapping
from deploy.cli.run_key import load_for_run
from deploy.cli.times import iso_ms
from deploy.ingest.mapping.file import load_mapping
from deploy.ingest.rejects import check_outputs
from deploy.ingest.touchpoint_files import TouchpointFiles
from deploy.offline.replay_files import RESULTS, collect, write
from schemas.errors import SettingsError
from streams.journeys.rules.rules import JourneyRules
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
    over the same events, with the same pseudonymisation key, ends in the same profiles and state hashes. Takes
    and refuses the lines that `publish` does, and names the refused ones on standard error; exit code 1 then.

    Example: touchline replay events.jsonl --out result --identity stricter.toml
    """
    context = Context.from_env()
    (policy,) = load_for_run(context.settings, context.identity_file(identity))
    replay = Replay(policy, context.catalogue, JourneyRules.load(rules) if rules else context.rules)
    now = context.now if as_of is None else _as_of(as_of)
    check_outputs((out / name for name in RESULTS.values()), files)
    sources = TouchpointFiles(files, load_mapping(mapping) if mapping else None)
    read = rejected = 0
    for entry in collect(sources, replay):
        read += 1
        if entry.error is not None:
            rejected += 1
            tell_rejected(entry)
    tell_unseen(sources)
    counts = write(replay, out, now)
    copies = sum(1 for _ in replay.copies())
    summary = {"read": read, "rejected": rejected, "copies_not_counted": copies, **counts}
    print_mapping(summary, as_json=as_json, title=f"Written to {out}")
    return 1 if rejected or sources.lacks_required() else 0


def _as_of(text: str) -> int:
    try:
        return iso_ms(text)
    except ValueError as error:
        raise SettingsError(
            f"--as-of is {text!r}: it must be an ISO time like 2026-01-31T12:00:00Z"
        ) from error
