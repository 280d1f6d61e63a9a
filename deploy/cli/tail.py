"""`touchline tail`: states, signals, changes or accounts as they come."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from deploy.cli.context import Context
from deploy.cli.output import console, print_json, remark
from deploy.ingest.key_check import compared
from deploy.screens.journey.lookup import PROFILE, parse
from deploy.screens.tail.following import Following, Start
from deploy.screens.tail.lines import document, line
from deploy.screens.tail.selection import Person, doubt, select
from deploy.screens.tail.streams import STREAMS
from schemas.errors import SettingsError, UnseenError


def command(
    stream: Annotated[str, typer.Argument(help="states, signals, changes or accounts.", metavar="STREAM")],
    profile: Annotated[str | None, typer.Option(help="Records about this profile id.", metavar="ID")] = None,
    identifier: Annotated[
        str | None,
        typer.Option(help="Records about whoever owns it, as the person says it.", metavar="TYPE:VALUE"),
    ] = None,
    stage: Annotated[str | None, typer.Option(help="States in this stage.")] = None,
    kind: Annotated[str | None, typer.Option(help="Signals or changes of this kind.")] = None,
    where: Annotated[
        str | None, typer.Option(help="A condition on the record's fields.", metavar="CONDITION")
    ] = None,
    tenant: Annotated[
        str | None,
        typer.Option(help="Records of this tenant; default: of all, with --identifier of 'default'."),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(help="Begin with what was published then: ISO time, or 2h for two hours ago."),
    ] = None,
    from_start: Annotated[bool, typer.Option("--from-start", help="Begin with the oldest record.")] = False,
    until_now: Annotated[
        bool, typer.Option("--until-now", help="End with the records that are there already.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line, with the whole record.")
    ] = False,
) -> None:
    """Follow a public topic, a line for each record, until Ctrl-C. It joins no consumer group and changes nothing.

    CONDITION compares fields: friction > 5 and stage == 'purchase'; revenue['EUR'] >= 10000; 'web' in channels;
    len(open_issues) > 0; recent[-1].type == 'order_placed'. All that is given must hold. Times are UTC.

    A line with an older version than one before is an old record that came again: the highest version counts.

    Example: touchline tail states --where "friction > 5" --since 1h
    """
    if stream not in STREAMS:
        raise SettingsError(f"{stream!r} cannot be followed: name one of {', '.join(STREAMS)}")
    if since is not None and from_start:
        raise SettingsError("--since and --from-start say different beginnings: give one")
    context = Context.from_env()
    start = Start(from_start, None if since is None else context.moment(since, "--since"))
    person = None if identifier is None else person_of(context, identifier, tenant or "default")
    chosen = select(
        STREAMS[stream], tenant=tenant, profile=profile, person=person, stage=stage, kind=kind, where=where
    )
    for sentence in doubts(context, stream, identifier, stage, kind):
        remark(sentence)
    width = console.width if console.is_terminal or "COLUMNS" in os.environ else None
    with Following(context.settings, chosen.stream, person, remark) as following, at_once():
        for item in following.items(start, endless=not until_now):
            if not chosen.takes(item):
                continue
            if as_json:
                print_json(document(chosen.stream, item))
            else:
                console.print(line(chosen.stream, item, width), soft_wrap=True)


def doubts(
    context: Context, stream: str, identifier: str | None, stage: str | None, kind: str | None
) -> Iterator[str]:
    """What may be misspelt: it would show nothing, for ever, and say nothing of it."""
    found = []
    if identifier is not None:
        name = context.policy.type_name(parse(identifier)["type"])
        found.append(doubt("--identifier of the type", name, context.policy.rules))
    if stage is not None:
        found.append(doubt("--stage", stage, context.catalogue.stages))
    if kind is not None and stream == "signals":
        found.append(doubt("--kind", kind, context.rules.words))
    yield from filter(None, found)


def person_of(context: Context, identifier: str, tenant: str) -> Person:
    """Somebody named as `touchline journey` takes it. Raises SettingsError, UnseenError, AnotherKeyError."""
    asked = parse(identifier)
    if asked["type"] == PROFILE:
        raise SettingsError(f"{identifier} is a profile: write --profile {asked['value']}")
    usable = context.policy.for_tenant(tenant).usable([asked])
    if not usable:
        raise UnseenError(f"nobody is known by {identifier}: the identity policy blocks this value")
    compared(context.settings, context.policy)  # under another key nothing would ever be shown
    return Person(tenant, usable[0])


@contextmanager
def at_once() -> Iterator[None]:
    """Within it, each line reaches a pipe when it is printed."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(line_buffering=True)
    yield
