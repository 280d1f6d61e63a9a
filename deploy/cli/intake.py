"""What commands that read files of touchpoints say beside their result."""

from typing import Final

from deploy.cli.output import counted, remark
from deploy.ingest.reading.files import Entry
from deploy.ingest.touchpoint_files import TouchpointFiles
from deploy.ingest.unknown_names import Unknown, UnknownNames

#: Unknown names of one kind that a summary shows.
_SHOWN: Final = 10


def tell_rejected(entry: Entry) -> None:
    """Name a line that cannot be taken, and why."""
    remark(f"{entry.file}:{entry.line}: {entry.error}")


def tell_unseen(files: TouchpointFiles) -> None:
    """Name the columns of the mapping that no line has."""
    unseen = files.unseen()
    if unseen:
        columns = ", ".join(map(repr, unseen))
        remark(f"the mapping names {columns}, which no line has: mend the mapping, or take it out there")


def tell_unknown(unknown: UnknownNames) -> None:
    """Name what the catalogue does not have, a line per kind."""
    found = unknown.found()
    for kind in ("type", "channel", "purpose"):
        names = [one for one in found if one.kind == kind]
        if names:
            told = ", ".join(map(_told, names[:_SHOWN]))
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            remark(
                f"{counted(len(names), kind)} not in the catalogue: {told}{more}"
                " (`touchline catalogue check FILE` lists all)"
            )


def _told(one: Unknown) -> str:
    hint = f", did you mean {one.nearest}?" if one.nearest else ""
    return f"{one.name!r} ({counted(one.touchpoints, 'touchpoint')}{hint})"
