"""Proposes a mapping for a file, as TOML with comments that say why. `publish --mapping` takes it as it is."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from deploy.ingest.mapping.cells import ABSENT, find
from deploy.ingest.mapping.change_data import read_change
from deploy.ingest.mapping.file import load_mapping, parse_mapping, shipped
from deploy.ingest.mapping.refusal import refusal_of
from deploy.ingest.mapping.row_events import SourceMapping
from deploy.ingest.proposal.profile import profile
from deploy.ingest.proposal.render import identifier_lines, rows_mapping, toml_list, unnamed_lines
from deploy.ingest.proposal.roles import roles
from deploy.ingest.proposal.sniff import sniff
from deploy.ingest.reading.files import Entry, Format, read_entries
from schemas.catalogue import Catalogue
from schemas.errors import ContractError, TouchlineError
from schemas.touchpoint.intake import accept

SAMPLE_ROWS: Final = 2000
_CALLS: Final = ("track", "identify", "page", "screen", "group", "alias")


@dataclass(frozen=True)
class Proposal:
    """A mapping's text, and what it makes of the sample."""

    text: str
    rows: int
    taken: int
    refusal: str  #: of the first row that is not taken


def propose(name: str, form: Format | None, catalogue: Catalogue, now_ms: int) -> Proposal:
    """The proposal for a file. Raises SourceError if it cannot be read, TouchlineError if it has no rows."""
    sniffed, layout, named = sniff(name)
    entries = list(islice(read_entries(name, form or sniffed, layout), SAMPLE_ROWS))
    values = [entry.value for entry in entries if entry.error is None]
    if not values:
        why = f": {entries[0].error}" if entries else ""
        raise TouchlineError(f"{name} has no row from which a mapping could be proposed{why}")
    if not any(isinstance(value, Mapping) for value in values):
        raise TouchlineError(
            f"{name} has no row from which a mapping could be proposed: each line must be a JSON object,"
            ' like {"id": 1}'
        )
    text = (
        _messages(values)
        or _change_data(values)
        or rows_mapping(values, form or sniffed, layout, catalogue, named=named)
    )
    known = _shipped_for(values)
    if known:
        text = f"# These are the columns that the shipped mapping {known} reads: --mapping {known}\n{text}"
    return _tried(text, entries, now_ms)


def _tried(text: str, entries: list[Entry], now_ms: int) -> Proposal:
    mapping = parse_mapping(text, "the proposal")
    taken, refusal = 0, ""
    for entry in entries:
        refused = entry.error or _refused(mapping, entry.value, now_ms)
        if refused is None:
            taken += 1
        else:
            refusal = refusal or f"line {entry.line}: {refused}"
    return Proposal(text, len(entries), taken, refusal)


def _refused(mapping: SourceMapping, value: object, now_ms: int) -> ContractError | None:
    """Why a row is not taken; None if it is."""
    try:
        for event in mapping.events(value, now_ms):
            accept(event, now_ms)
    except Exception as error:  # noqa: BLE001 (refusal_of raises again what is not the row's own)
        return refusal_of(error)
    return None


def _messages(values: list[Any]) -> str:
    """The proposal for messages of a tracking SDK; empty if the rows are none."""
    if not all(isinstance(one, dict) and one.get("type") in _CALLS and "messageId" in one for one in values):
        return ""
    return (
        "# Every row has a messageId and the type of a tracking SDK's message: the collector's mapping reads them.\n"
        'messages = "segment"\n\n[constants]\nsource = "segment"   # give the source its name\nchannel = "web"\n'
    )


def _change_data(values: list[Any]) -> str:
    """The proposal for Debezium's envelopes; empty if the rows are none."""
    try:
        found = [change for one in values if _is_envelope(one) and (change := read_change(one))]
    except ContractError:
        return ""
    if not found or not all(one is None or _is_envelope(one) for one in values):
        return ""
    tables = Counter(str(one.source.get("table")) for one in found)
    table = tables.most_common(1)[0][0]
    columns = profile(one.row for one in found if str(one.source.get("table")) == table)
    others = f"   # also there: {toml_list(sorted(tables - Counter({table: tables[table]})))[1:-1]}"
    return "\n".join(
        [
            "# Every row is a change of a table's row, in Debezium's envelope.",
            "derive_event_id = true        # from the place in the database's log and the row",
            "",
            "[change]",
            f"tables = {toml_list([table])}{others if len(tables) > 1 else ''}",
            '# columns = ["email"]         # an update that changes none of these makes nothing; without it any may',
            "",
            "[constants]",
            'source = "database"           # give the source its name',
            'channel = "backoffice"',
            '# link = "asserted"           # if the table is an authority: the identifiers of a row are one person',
            "",
            "[columns]",
            'occurred_at = "change.time"   # when the change was committed',
            "",
            *unnamed_lines(columns),
            *identifier_lines(roles(columns), columns),
            "",
            '[[events]]\nname = "created"\non = ["insert", "read"]\nconstants.type = "account_created"',
            "",
            '[[events]]\nname = "changed"\non = ["update"]\nconstants.type = "account_changed"',
            "",
            '[[events]]\nname = "deleted"\non = ["delete"]\nconstants.type = "account_closed"',
            "",
        ]
    )


def _is_envelope(value: Any) -> bool:
    if isinstance(value, dict) and value.keys() == {"schema", "payload"}:
        value = value["payload"]
    return isinstance(value, dict) and "op" in value and "source" in value


def _shipped_for(values: list[Any]) -> str:
    """The shipped mapping for rows of these columns; empty if there is none."""
    rows = [one for one in values[:50] if isinstance(one, dict)]
    best, most = "", 2  # fewer columns say nothing
    for name in shipped():
        needed = load_mapping(name).needed()
        if len(needed) > most and all(
            any(find(row, column) is not ABSENT for row in rows) for column in needed
        ):
            best, most = name, len(needed)
    return best
