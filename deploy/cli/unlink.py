"""`touchline unlink`: withdraw the evidence that two identifiers are one person."""

from typing import Annotated

import typer

from deploy.cli.context import Context
from deploy.cli.output import print_mapping
from deploy.ingest.corrections import identifiers, publish_correction, require_seen, withdrawal
from deploy.ingest.key_check import require_same_key
from schemas.errors import SettingsError
from sinks.clickhouse.read.subject import Subject


def command(
    one: Annotated[str, typer.Argument(help="An identifier as the source writes it.", metavar="TYPE:VALUE")],
    other: Annotated[str, typer.Argument(help="The one it was seen with.", metavar="TYPE:VALUE")],
    tenant: Annotated[str, typer.Option(help="Whose identifiers they are.")] = "default",
    until: Annotated[
        str | None, typer.Option(help="Up to this time: ISO, or like 2h ago; default: now.")
    ] = None,
    unseen: Annotated[
        bool,
        typer.Option("--unseen", help="Also if nothing is known of one of them, so that a late link is cut."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the request as JSON.")] = False,
) -> None:
    """Withdraw what links two identifiers, observed and asserted; profiles that it held together split.

    Only their own link is meant: `touchline explain` names the links that hold two identifiers together. Files that
    are published again do not bring it back, later touchpoints with both do. Exit code 1 if nothing is known of one.

    Example: touchline unlink customer_id:C100042 customer_id:C100777
    """
    context = Context.from_env()
    settings, policy = context.settings, context.policy
    first, second = identifiers(one, tenant, policy), identifiers(other, tenant, policy)
    if first == second:
        raise SettingsError(f"{one} and {other} are the same identifier: name two different ones")
    end = context.end(until, "--until")
    require_same_key(settings, policy)  # under another key a person who is known seems unknown
    if not unseen:
        with Subject(settings.clickhouse(), tenant) as subject:
            require_seen(subject, one, tenant, first)
            require_seen(subject, other, tenant, second)
    # while keys are rotated, each of the two has two pseudonyms, and a touchpoint links all of them
    for request in [withdrawal(tenant, left, right, end) for left in first for right in second]:
        publish_correction(request, settings)
        print_mapping(
            {
                "request_id": request["event_id"],
                "left": ":".join((request["left"]["type"], request["left"]["value"])),
                "right": ":".join((request["right"]["type"], request["right"]["value"]))
                if request["right"]
                else None,
                "until": request["occurred_at"],
            },
            as_json=as_json,
            title="Withdrawn",
        )
