"""`touchline schemas`: check, list, freeze and register the contracts in `schemas/avro`."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.cli.context import Context
from deploy.cli.output import print_rows, remark, say
from deploy.contracts.asyncapi import document, text
from deploy.contracts.page import page
from schemas.encoding.compatibility import Mode, carriers, freeze, mode_of, report
from schemas.encoding.registration import register
from schemas.encoding.registry import NAMES, VERSIONS, committed, current, fingerprint_of
from schemas.encoding.registry_http import RegistryHttp
from schemas.errors import SettingsError
from schemas.settings import Settings
from schemas.topics import ALL

command = typer.Typer(help="The Avro contracts: compatible with what was released?", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@command.command("check")
def check(as_json: AsJson = False) -> int:
    """Check every schema against its committed versions; show the order of rollout. Exits 1 if one fails."""
    reports = [report(name, current()[name], committed(name)) for name in NAMES]
    rows = [
        (found.name, found.mode.value, found.versions, "no" if found.problems else "yes") for found in reports
    ]
    print_rows(("record", "mode", "versions", "compatible"), rows, as_json=as_json)
    if not as_json:
        print_rows(("topic", "upgrade first", "then"), rollout(), as_json=False)
    problems = [problem for found in reports for problem in found.problems]
    for problem in problems:
        remark(f"touchline: {problem}")
    return 1 if problems else 0


@command.command("list")
def show(as_json: AsJson = False) -> None:
    """Every record: its fingerprint, its committed versions, the topics that carry it."""
    rows = [
        (
            name,
            fingerprint_of(current()[name]).hex(),
            len(committed(name)),
            mode_of(name).value,
            ", ".join(topic.name for topic in carriers(name)),
        )
        for name in NAMES
    ]
    print_rows(("record", "fingerprint", "versions", "mode", "topics"), rows, as_json=as_json)


@command.command("freeze")
def freeze_all() -> None:
    """Write each changed schema as its next version under schemas/versions, to be committed with it."""
    for name in NAMES:
        path = freeze(name, current()[name], committed(name), VERSIONS)
        say(f"{name}: unchanged" if path is None else f"{name}: wrote {path}")


@command.command("register")
def register_all(
    url: Annotated[
        str | None, typer.Option(help="The registry; default: TOUCHLINE_REGISTRY_URL.", metavar="URL")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Ask the registry, register nothing.")] = False,
    as_json: AsJson = False,
) -> int:
    """Register the schemas of the public topics in a Confluent-compatible registry. Exit code 1 if one is refused.

    The subject of a topic is its name with -value behind it. What is registered already stays as it is.

    Example: touchline schemas register --url http://127.0.0.1:8081 --dry-run
    """
    settings = Context.from_env().settings
    registry = RegistryHttp(url or require_url(settings))
    done = list(register(settings, registry, dry_run=dry_run))
    rows = [(one.subject, one.record, one.version, one.id, one.action.value) for one in done]
    print_rows(("subject", "record", "version", "id", "action"), rows, as_json=as_json)
    problems = [one.problem for one in done if one.problem is not None]
    for problem in problems:
        remark(f"touchline: {problem}")
    return 1 if problems else 0


@command.command("asyncapi")
def asyncapi(
    out: Annotated[
        Path | None, typer.Option(help="Write the JSON there; default: standard output.", metavar="FILE")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="Write a page for people there, too.", metavar="FILE")
    ] = None,
) -> None:
    """The public topics of this deployment as an AsyncAPI 3.0 document.

    docs/asyncapi.json and docs/asyncapi.html are those of a deployment with default settings.

    Example: touchline schemas asyncapi --out asyncapi.json --html asyncapi.html
    """
    settings = Context.from_env().settings
    if html is not None:
        html.write_text(page(document(settings)), encoding="utf-8")
        remark(f"wrote {html}")
    if out is None:
        say(text(settings).rstrip())
    else:
        out.write_text(text(settings), encoding="utf-8")
        remark(f"wrote {out}")


def require_url(settings: Settings) -> str:
    """The registry of the settings. Raises SettingsError."""
    if not settings.registry_url:
        raise SettingsError("no schema registry is named: set TOUCHLINE_REGISTRY_URL or give --url")
    return settings.registry()


def rollout() -> list[tuple[str, str, str]]:
    """Per topic, who must run the new version first: readers, so that no reader gets a record it cannot read."""
    return [
        (topic.name, "any order", "any order")
        if all(mode_of(name) is Mode.FULL_TRANSITIVE for name in topic.values)
        else (topic.name, ", ".join(topic.read_by), ", ".join(topic.written_by))
        for topic in ALL
    ]
