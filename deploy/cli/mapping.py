"""`touchline mapping`: the mappings that are there, and a proposal for a file of one's own."""

import re
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Literal

import typer

from deploy.cli.context import Context
from deploy.cli.output import remark, say
from deploy.ingest.mapping.file import mapping_text, shipped
from deploy.ingest.proposal.propose import propose
from schemas.errors import SettingsError, TouchlineError

command = typer.Typer(
    help="Mappings: list and show those that are there, propose a new one.", no_args_is_help=True
)


@command.command("new")
def new(
    file: Annotated[str, typer.Argument(help="CSV, TSV, JSON Lines, also .gz, or Parquet.", metavar="FILE")],
    out: Annotated[Path | None, typer.Option(help="A new file, instead of standard output.")] = None,
    form: Annotated[
        Literal["jsonl", "csv", "parquet"] | None, typer.Option("--format", help="Else the file shows it.")
    ] = None,
) -> None:
    """Look at the beginning of a file and propose a mapping for it, with comments that say why.

    `publish --mapping` takes the proposal as it is. Read it first: it guesses from names and values. The exit code is
    1 if it would take no row.

    Example: touchline mapping new shop.csv --out shop.toml
    """
    context = Context.from_env()
    found = propose(file, form, context.catalogue, context.now)
    if out is None:
        say(found.text.rstrip("\n"))
    else:
        try:
            with out.open("x", encoding="utf-8") as stream:
                stream.write(found.text)
        except FileExistsError as error:
            raise TouchlineError(f"{out} is there already: name another file with --out") from error
    refused = f"; the first refused is {found.refusal}" if found.refusal else ""
    remark(f"{found.taken:,} of the first {found.rows:,} rows would be taken{refused}")
    if not found.taken:
        raise typer.Exit(1)


@command.command("show")
def show(
    name: Annotated[str, typer.Argument(help="Of a shipped mapping; see `touchline mapping list`.")],
) -> None:
    """Print a shipped mapping, to be changed to your file.

    Example: touchline mapping show zendesk
    """
    if name not in shipped():
        raise SettingsError(f"no mapping {name!r} is shipped: there are {', '.join(shipped())}")
    say(mapping_text(name).rstrip("\n"))


@command.command("list")
def list_shipped() -> None:
    """List the shipped mappings, each with what it reads.

    Example: touchline mapping list
    """
    width = max(map(len, shipped()))
    for name in shipped():
        say(f"{name:<{width}}  {_first_sentence(mapping_text(name))}")


def _first_sentence(text: str) -> str:
    """Of the comment with which a mapping begins, up to a full stop or a colon."""
    comment = " ".join(
        line.removeprefix("#").strip()
        for line in takewhile(lambda line: line.startswith("#"), text.splitlines())
    )
    return re.split(r"[.:](?=\s|$)", comment)[0]
