"""What commands that read files of touchpoints say beside their result."""

from typing import Final

from deploy.cli.output import counted, remark
from deploy.ingest.reading.files import Entry
from deploy.ingest.touchpoint_files import TouchpointFiles
from deploy.ingest.unknown_names import IDENTIFIER_TYPE, Unknown, UnknownNames
from schemas.touchpoint.erasure_names import ERASURE_REQUESTED

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
    """Name what the catalogue and the policy do not have, a line per kind, and what may have been meant to erase."""
    found = unknown.found()
    for one in found:
        if one.kind == "type" and one.nearest == ERASURE_REQUESTED:
            remark(
                f"the type {one.name!r} ({counted(one.touchpoints, 'touchpoint')}) erased nobody: if it asks for"
                f" an erasure, send it as {ERASURE_REQUESTED}"
            )
    identifiers = [one for one in found if one.kind == IDENTIFIER_TYPE]
    if identifiers:
        remark(
            f"{counted(len(identifiers), IDENTIFIER_TYPE)} not in the identity policy, so stored as they come:"
            f" {_listed(identifiers)} (name each that holds personal data: docs/identity.md)"
        )
    personal = [one for one in identifiers if one.personal]
    if personal:
        remark(
            f"values of {_listed(personal)} look like e-mail addresses or phone numbers and are stored readable:"
            " name the type in the identity policy (docs/identity.md)"
        )
    for kind in ("type", "channel", "purpose"):
        names = [one for one in found if one.kind == kind]
        if names:
            remark(
                f"{counted(len(names), kind)} not in the catalogue: {_listed(names)}"
                " (`touchline catalogue check FILE` lists all)"
            )


def _listed(names: list[Unknown]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(_told, names[:_SHOWN])) + more


def _told(one: Unknown) -> str:
    hint = f", did you mean {one.nearest}?" if one.nearest else ""
    return f"{one.name!r} ({counted(one.touchpoints, 'touchpoint')}{hint})"
