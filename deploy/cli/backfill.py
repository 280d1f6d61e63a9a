"""`touchline backfill`: read what the topics still have once more."""

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated

import typer

from deploy.cli.context import Context
from deploy.cli.key import require_configured_key
from deploy.cli.output import print_json, print_table, remark, tell
from deploy.repair.backfill.offsets import MEMBERS, Move, apply, plan
from deploy.repair.backfill.republish import again
from deploy.repair.dead_letters.replaying import Outgoing, send
from schemas.errors import SettingsError
from schemas.settings import Settings
from schemas.topics import LOADER_GROUP, TOUCHPOINTS, WORKER_GROUP


class Group(StrEnum):
    """Who reads again."""

    WORKER = "worker"
    LOADER = "loader"


_GROUPS = {Group.WORKER: WORKER_GROUP, Group.LOADER: LOADER_GROUP}


def command(
    since: Annotated[str, typer.Option("--from", help="An ISO time, or how long ago (2h, 7d).")],
    until: Annotated[
        str | None, typer.Option("--to", help="The end, with --republish only; default: now.")
    ] = None,
    group: Annotated[Group | None, typer.Option(help="Who reads again: worker or loader.")] = None,
    topic: Annotated[list[str] | None, typer.Option(help="Only this topic; may be repeated.")] = None,
    republish: Annotated[
        bool,
        typer.Option("--republish", help="Publish touchpoints once more instead; nothing needs to stop."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, do nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Read again what was published since a time. What was right stays as it is; what was missed is made good.

    A stopped group is moved back and reads again once it is started: the loader after tables were lost or changed,
    the workers after a change of policy or catalogue. With --republish the touchpoints themselves are published
    once more, beside live traffic.

    Example: touchline backfill --from 7d --group loader
    """
    context = Context.from_env()
    settings = context.settings
    require_configured_key(context)
    start = context.moment(since, "--from")
    if republish:
        if group is not None or set(topic or ()) - {TOUCHPOINTS.name}:
            raise SettingsError("--republish publishes touchpoints: leave out --group and any other --topic")
        _republish(settings, start, context.moment(until, "--to"), dry_run=dry_run, as_json=as_json)
        return
    if until is not None:
        raise SettingsError("--to needs --republish: a group that was moved back reads on to the end")
    if group is None and not topic:
        raise SettingsError(
            "say what to read again: --group loader, --group worker, --topic NAME, or --republish"
        )
    groups = set(MEMBERS) if group is None else {_GROUPS[group]}
    names = {name.removeprefix(settings.topic_prefix) for name in topic or ()}
    moves = plan(settings, start, groups, names)
    if not dry_run:
        apply(settings, moves)
    _report(moves, dry_run=dry_run, as_json=as_json)


def _republish(settings: Settings, start: int, end: int, *, dry_run: bool, as_json: bool) -> None:
    count = 0

    def counted() -> Iterator[Outgoing]:
        nonlocal count
        for record in again(settings, start, end):
            count += 1
            yield record

    if dry_run:
        for _ in counted():
            pass
    else:
        send(settings, counted())
    if as_json:
        print_json({"republished": 0 if dry_run else count, "would_republish": count, "dry_run": dry_run})
    else:
        tell(f"{count:,} touchpoints {'would be' if dry_run else 'were'} published once more")


def _report(moves: list[Move], *, dry_run: bool, as_json: bool) -> None:
    totals: Counter[tuple[str, str]] = Counter()
    for move in moves:
        totals[move.group, move.topic] += move.records
    if as_json:
        print_json(
            {
                "moved": [
                    {"group": group, "topic": topic, "records": records}
                    for (group, topic), records in totals.items()
                ],
                "dry_run": dry_run,
            }
        )
    else:
        print_table(
            ("group", "topic", "records to read again"),
            [(group, topic, f"{records:,}") for (group, topic), records in totals.items()],
        )
        if not moves:
            tell("nothing to read again: these groups have read nothing since then")
        elif not dry_run:
            tell(
                f"start the {' and '.join(sorted(MEMBERS[group] for group in {m.group for m in moves}))} again"
            )
    if any(not move.by_time for move in moves):
        remark("this broker cannot find a record by its time: all that it retains is read again")
