"""`touchline catalogue`: read a catalogue as a worker does, and find the names in files that it lacks."""

from typing import Annotated, Any

import typer

from deploy.cli.context import Context
from deploy.cli.intake import tell_rejected, tell_unseen
from deploy.cli.output import counted, print_json, print_table, tell
from deploy.ingest.mapping.file import load_mapping
from deploy.ingest.touchpoint_files import TouchpointFiles
from deploy.ingest.unknown_names import UnknownNames
from schemas.catalogue import Catalogue

command = typer.Typer(help="Check a catalogue, and the names in files against it.", no_args_is_help=True)
# a lone command would otherwise become `catalogue` itself
command.callback()(lambda: None)


@command.command()
def check(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Touchpoints, JSON Lines or CSV; - is standard input.", metavar="[FILE...]"),
    ] = None,
    catalogue: Annotated[
        str | None, typer.Option(help="A catalogue.toml; default: what a worker here would use.")
    ] = None,
    mapping: Annotated[str | None, typer.Option(help="TOML file that says which column is what.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> int:
    """Read a catalogue as a worker does, and list the types, channels and purposes in files that it lacks.

    Exit code 1 if a worker would refuse the catalogue, if a name is unknown, or if a line cannot be taken.

    Example: touchline catalogue check events.jsonl --catalogue catalogue.toml
    """
    context = Context.from_env()
    known = context.catalogue if catalogue is None else Catalogue.load(catalogue)
    sources = TouchpointFiles(files or [], load_mapping(mapping) if mapping else None)
    unknown = UnknownNames(known)
    read = rejected = 0
    for sourced in sources:
        read += 1
        entry = sourced.give(unknown.notice)
        if entry.error is not None:
            rejected += 1
            tell_rejected(entry)
    tell_unseen(sources)
    document = {
        "types": len(known.types), "channels": len(known.channels), "purposes": len(known.purposes),
        "stages": list(known.stages), "read": read, "rejected": rejected, "unknown_names": unknown.document(),
    }  # fmt: skip
    if as_json:
        print_json(document)
    else:
        _tell(document, unknown)
    return 1 if rejected or document["unknown_names"] or sources.lacks_required() else 0


def _tell(document: dict[str, Any], unknown: UnknownNames) -> None:
    parts = ("type", "channel", "purpose")
    tell(f"the catalogue has {', '.join(counted(document[f'{part}s'], part) for part in parts)}")
    if not document["read"]:
        return
    found = unknown.found()
    if found:
        rows = [(one.kind, one.name, f"{one.touchpoints:,}", one.nearest) for one in found]
        print_table(("kind", "not in the catalogue", "touchpoints", "did you mean"), rows)
    for kind, count in unknown.uncounted.items():
        tell(f"{counted(count, 'touchpoint')} with further names of a {kind}: is an id in its place?")
    names = counted(len(found), "unknown name")
    tell(f"{counted(document['read'], 'line')} read, {document['rejected']:,} rejected, {names}")
