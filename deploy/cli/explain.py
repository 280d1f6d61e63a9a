"""`touchline explain`: why two identifiers are one person, or which rule keeps them apart."""

import time
from collections.abc import Iterable
from typing import Annotated

import typer

from deploy.cli.explanation import document, plain, told
from deploy.cli.output import print_json, remarks, say
from deploy.cli.run_key import load_for_run
from deploy.cli.times import moment
from deploy.ingest.corrections import UnseenError, identifier
from deploy.ingest.mapping_file import load_mapping
from deploy.ingest.touchpoint_files import read_touchpoints
from schemas.catalogue import Catalogue
from schemas.errors import ContractError, SettingsError
from schemas.records import IdentityCorrection, IdentityLink
from schemas.settings import Settings
from schemas.touchpoint.rules import check
from sinks.clickhouse.read.evidence import evidence_around, owners
from sinks.clickhouse.read.subject import Subject
from streams.identity.explain import Explanation, explain
from streams.identity.policy.load import load
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.policy.prepare import prepare
from streams.identity.resolution.corrections import Corrections
from streams.identity.resolution.evidence import Node
from streams.identity.resolution.links import links_of
from streams.identity.resolution.ownership import node_of
from streams.stitch.stitching import ERASURE_REQUESTED, erasures_of


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
    settings = Settings.from_env()
    path, named_by = (
        identity or settings.identity_policy,
        "--identity" if identity else "TOUCHLINE_IDENTITY_POLICY",
    )
    if file:
        (policy,) = load_for_run(settings, (path, named_by))
    else:
        policy = load(path, settings.pseudonym_secret(), settings.pseudonym_key_id, named_by)
    policy = policy.for_tenant(tenant)
    instant = None if at is None else moment(at, "--at", time.time())
    asked = {node_of(identifier(text, tenant, policy)): text for text in (one, other)}
    if len(asked) < 2:
        raise SettingsError(f"{one} and {other} are the same identifier: name two different ones")
    first, second = asked
    if file:
        catalogue = Catalogue.load(settings.catalogue)
        links, cuts, seen = _evidence_of_files(file, mapping, policy, catalogue, tenant)
    else:
        links, cuts = evidence_around(settings.clickhouse(), tenant, asked)
        with Subject(settings.clickhouse(), tenant) as subject:
            seen = subject.seen(asked)
    if unseen := [text for node, text in asked.items() if node not in seen]:
        raise UnseenError(
            f"{' and '.join(unseen)} {'was' if len(unseen) == 1 else 'were'} never seen in tenant {tenant!r}, or"
            " erased: check the spelling and --tenant"
        )
    answer = explain(tenant, policy, links, first, second, instant, _corrections(cuts))
    if not file and instant is None:
        _compare(answer, owners(settings.clickhouse(), tenant, asked))
    if as_json:
        print_json(document(answer, asked))
    else:
        for line in told(answer, asked):
            say(line)


def _evidence_of_files(
    files: list[str], mapping: str | None, policy: IdentityPolicy, catalogue: Catalogue, tenant: str
) -> tuple[list[IdentityLink], list[IdentityCorrection], set[Node]]:
    links: list[IdentityLink] = []
    corrections: list[IdentityCorrection] = []
    seen: set[Node] = set()
    rejected = 0
    for sourced in read_touchpoints(files, load_mapping(mapping) if mapping else None):
        touchpoint = sourced.touchpoint
        if touchpoint is None:
            rejected += 1
        elif touchpoint["tenant"] == tenant:
            try:
                check(touchpoint)
                _, prepared = prepare(touchpoint, policy, catalogue)
            except ContractError:
                rejected += 1
                continue
            if prepared["type"] == ERASURE_REQUESTED:
                corrections += erasures_of(prepared)
            else:
                seen |= {node_of(one) for one in prepared["identifiers"]}
                links += links_of(prepared, prepared["identifiers"])
    if rejected:
        remarks.print(
            f"{rejected} lines left out: `touchline publish --dry-run` says what is wrong with them"
        )
    return links, corrections, seen


def _corrections(records: Iterable[IdentityCorrection]) -> Corrections:
    corrections = Corrections()
    for record in records:
        if record["right"] is None:
            corrections.erase(node_of(record["left"]), record["occurred_at"])
        else:
            corrections.unlink((node_of(record["left"]), node_of(record["right"])), record["occurred_at"])
    return corrections


def _compare(answer: Explanation, stored: dict[Node, str]) -> None:
    """Say so if ClickHouse's own map of owners differs from what its evidence says."""
    for side in (answer.one, answer.other):
        if side.linked and stored.get(side.node, side.owner) != side.owner:
            remarks.print(
                f"ClickHouse has {plain(side.node)} as profile {stored[side.node]}, the evidence says"
                f" {side.owner}: not all is loaded yet, or the policy was changed meanwhile",
                markup=False, soft_wrap=True,
            )  # fmt: skip
