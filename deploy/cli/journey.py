"""`touchline journey`: one person's journey on one screen."""

import sys
from typing import Annotated, Final

import typer

from deploy.cli.context import Context
from deploy.cli.output import console, print_json, remark
from deploy.ingest.key_check import unseen_by_this_key
from deploy.screens.journey.context import context as journey_context
from deploy.screens.journey.document import document
from deploy.screens.journey.hints import hints
from deploy.screens.journey.lanes import ASCII, UNICODE
from deploy.screens.journey.lookup import look_up
from deploy.screens.journey.screen import screen

_ASCII_LIKENESS: Final = str.maketrans({"\N{NO-BREAK SPACE}": " ", "→": ">", "…": "."})


def command(
    who: Annotated[
        str, typer.Argument(help="An identifier as the person says it, or profile:ID.", metavar="TYPE:VALUE")
    ],
    tenant: Annotated[str, typer.Option(help="Whose customer it is.")] = "default",
    at: Annotated[
        str | None, typer.Option(help="ISO time to count ages from, or 2h for two hours ago; default: now.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what somebody on the phone needs to know: who, where in the journey, open issues, what went wrong.

    The identifier is normalised and pseudonymised by the configured policy, then looked up in ClickHouse.
    Times are UTC. Exit code 1 if nobody is known by it.

    Example: touchline journey phone:+4915110000012
    """
    context = Context.from_env()
    policy, now = context.policy.for_tenant(tenant), context.moment(at, "--at")
    with unseen_by_this_key(context.settings, context.policy):
        facts = look_up(context.settings.clickhouse(), policy, tenant, who, now)
    if facts.merged_from is not None:
        remark(f"profile {facts.merged_from} was merged into {facts.profile_id}: this is that person")
    catalogue = context.catalogue
    found = journey_context(facts, catalogue, context.rules.session_gap_ms, now)
    if as_json:
        print_json(document(found, hints(found)))
    else:
        plain = not console.encoding.startswith("utf")
        with console.capture() as printed:
            console.print(screen(found, hints(found), catalogue, console.width, ASCII if plain else UNICODE))
        sys.stdout.write(in_ascii(printed.get()) if plain else printed.get())


def in_ascii(text: str) -> str:
    """For terminals without Unicode: a character without an ASCII equivalent becomes a question mark."""
    return text.translate(_ASCII_LIKENESS).encode("ascii", "replace").decode()
