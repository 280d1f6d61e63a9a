"""`touchline explain`: why two identifiers are one person, or which rule keeps them apart."""

from contextlib import nullcontext
from typing import Annotated

import typer

from deploy.cli.context import Context
from deploy.cli.output import print_json, remark, tell
from deploy.cli.run_key import load_for_run
from deploy.ingest.corrections import identifier
from deploy.ingest.key_check import unseen_by_this_key
from deploy.offline.evidence import corrections_of, evidence_of_files
from deploy.screens.explanation import document, plain, told
from schemas.errors import SettingsError, UnseenError
from sinks.clickhouse.read.evidence import evidence_around, owners
from sinks.clickhouse.read.subject import Subject
from streams.identity.explain import Explanation, explain
from streams.identity.resolution.evidence import Node
from streams.identity.resolution.ownership import node_of


def command(
    one: Annotated[str, typer.Argument(help="An identifier as the source writes it.", metavar="TYPE:VALUE")],
    other: Annotated[str, typer.Argument(help="Another one.", metavar="TYPE:VALUE")],
    tenant: Annotated[str, typer.Option(help="Whose identifiers they are.")] = "default",
    at: Annotated[
        str | None, typer.Option(help="As of the evidence up to this event time: ISO, or like 2h ago.")
    ] = None,
    file: Annotated[
        list[str] | None,
        typer.Option(help="Events to reason about instead of ClickHouse's; may be given again."),
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(help="TOML file saying which column of --file is what.")
    ] = None,
    identity: Annotated[
        str | None, typer.Option(help="identity.toml to use; default: the configured one.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")] = False,
) -> None:
    """Tell why two identifiers are one person, since when, by which events; or which link was refused, and why.

    The identifiers are normalised and pseudonymised by the policy, so write them as they are. Exit code 1 if one of
    them was never seen.

    Example: touchline explain cookie:ck-81f2 email:ann@shop.de --at 2026-01-31T12:00:00Z
    """
    context = Context.from_env()
    where, chosen = context.settings.clickhouse(), context.identity_file(identity)
    policy = load_for_run(context.settings, chosen)[0] if file else context.policy_of(*chosen)
    policy = policy.for_tenant(tenant)
    instant = None if at is None else context.moment(at, "--at")
    asked = {node_of(identifier(text, tenant, policy)): text for text in (one, other)}
    if len(asked) < 2:
        raise SettingsError(f"{one} and {other} are the same identifier: name two different ones")
    first, second = asked
    if file:
        found = evidence_of_files(file, mapping, policy, context.catalogue, tenant)
        links, cuts, seen = found.links, found.corrections, found.seen
        if found.rejected:
            remark(
                f"{found.rejected} lines left out: `touchline publish --dry-run` says what is wrong with them"
            )
    else:
        links, cuts = evidence_around(where, tenant, asked)
        with Subject(where, tenant) as subject:
            seen = subject.seen(asked)
    with nullcontext() if file else unseen_by_this_key(context.settings, context.policy_of(*chosen)):
        _require_seen([text for node, text in asked.items() if node not in seen], tenant)
    answer = explain(tenant, policy, links, first, second, instant, corrections_of(cuts))
    if not file and instant is None:
        _compare(answer, owners(where, tenant, asked))
    if as_json:
        print_json(document(answer, asked))
    else:
        for line in told(answer, asked):
            tell(line)


def _require_seen(unseen: list[str], tenant: str) -> None:
    if unseen:
        raise UnseenError(
            f"{' and '.join(unseen)} {'was' if len(unseen) == 1 else 'were'} never seen in tenant {tenant!r}, or"
            " erased: check the spelling and --tenant"
        )


def _compare(answer: Explanation, stored: dict[Node, str]) -> None:
    """Say so if ClickHouse's own map of owners differs from what its evidence says."""
    for side in (answer.one, answer.other):
        if side.linked and stored.get(side.node, side.owner) != side.owner:
            remark(
                f"ClickHouse has {plain(side.node)} as profile {stored[side.node]}, the evidence says"
                f" {side.owner}: not all is loaded yet, or the policy was changed meanwhile",
            )
