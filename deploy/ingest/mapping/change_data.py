"""Change data of a table, as Debezium writes it: the row, what happened to it, and an id that re-delivery keeps.

Read are the envelope (before, after, source, op), with and without Connect's schema part, and the flattened form of
ExtractNewRecordState, whose own fields begin with two underscores.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from deploy.ingest.mapping.cells import invalid
from deploy.ingest.mapping.connect_types import decode_row, field_schema
from schemas.touchpoint.json_form import to_iso
from schemas.touchpoint.strict_json import parse_json, shown
from streams.collect.canonical import canonical

#: What the facts about a change are called in a mapping: change.time, change.table, …
PREFIX: Final = "change."


class Operation(StrEnum):
    """What happened to a row."""

    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    READ = "read"  #: it was there when the snapshot was taken


_OPERATIONS: Final = {
    "c": Operation.INSERT,
    "u": Operation.UPDATE,
    "d": Operation.DELETE,
    "r": Operation.READ,
}
#: Truncated tables and messages of the log are about no row.
_ABOUT_NO_ROW: Final = ("t", "m")
#: Stands in place of a large value that the database did not log, since it did not change.
_UNAVAILABLE: Final = "__debezium_unavailable_value"
#: What names a place in a database's log, for all connectors.
_POSITION: Final = (
    "lsn", "txId", "commit_lsn", "change_lsn", "event_serial_no", "scn", "commit_scn", "rs_id", "ssn", "gtid", "file",
    "pos", "row", "ord",
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """One change of one row."""

    operation: Operation
    row: Mapping[str, Any]  #: after the change; of a delete: before it
    before: Mapping[str, Any] | None  #: None if the database does not say, or if there was none
    source: Mapping[
        str, Any
    ]  #: name, db, schema, table, ts_ms and a place in the log, as far as they are known

    def changes(self, columns: Iterable[str]) -> bool:
        """Whether an update changes one of the columns; so does one of a row that is not known from before."""
        if self.operation is not Operation.UPDATE or self.before is None:
            return True
        return any(column in self.row and self.row[column] != self.before.get(column) for column in columns)

    def is_of(self, tables: Iterable[str]) -> bool:
        """Whether the row is in one of the tables, each named as `orders` or `shop.orders`."""
        table = self._text("table")
        spaces = [space for space in (self._text("schema"), self._text("db")) if space]
        return any(name in (table, *(f"{space}.{table}" for space in spaces)) for name in tables)

    def event_id(self) -> str:
        """One id for each change: of its place in the log and of the row.

        A snapshot has no place in the log, so a row that is read by a second snapshot is the same event.
        Raises ContractError for a place that is neither a whole number nor a text.
        """
        place: dict[str, Any] = {}
        if self.operation is not Operation.READ:
            place = {name: self.source[name] for name in _POSITION if self.source.get(name) is not None}
            place = place or {"ts_ms": self.source.get("ts_ms")}
        for name, value in place.items():
            if value is not None and not isinstance(value, (int, str)):
                raise invalid(
                    f"source.{name} is {shown(value)}: a place in the log is a whole number or a text"
                )
        origin = [self._text(name) for name in ("name", "db", "schema", "table")]
        content = canonical([origin, self.operation.value, place, _texts(self.row)])
        return hashlib.blake2b(content, digest_size=16).hexdigest()

    def columns(self) -> dict[str, Any]:
        """The row's columns, and the facts about the change under their names."""
        facts: dict[str, Any] = {"operation": self.operation.value}
        facts |= {name: self.source.get(name) for name in ("name", "db", "schema", "table")}
        time = self.source.get("ts_ms")
        if isinstance(time, int):
            facts["time"] = to_iso(time)
        if self.before is not None:
            facts |= {f"before.{name}": value for name, value in self.before.items()}
        return {**self.row, **{PREFIX + name: value for name, value in facts.items()}}

    def _text(self, name: str) -> str:
        value = self.source.get(name)
        return "" if value is None else str(value)


def read_change(value: Any) -> Change | None:
    """The change that a message's value says; None for one that is about no row, such as a tombstone.

    Raises ContractError (INVALID) for what is neither an envelope nor a flattened row.
    """
    schema = None
    if isinstance(value, Mapping) and value.keys() == {"schema", "payload"}:
        value, schema = value["payload"], value["schema"]
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise invalid(
            "change data is a JSON object: an envelope with op, before and after, or a flattened row"
        )
    if "op" in value and ("after" in value or "before" in value or value["op"] in _ABOUT_NO_ROW):
        return _enveloped(value, schema)
    return _flattened(value, schema)


def _enveloped(value: Mapping[str, Any], schema: Any) -> Change | None:
    if value["op"] in _ABOUT_NO_ROW:
        return None
    operation = _OPERATIONS.get(value["op"]) if isinstance(value["op"], str) else None
    if operation is None:
        raise invalid(f"op is {str(value['op'])[:80]!r}: it must be one of {', '.join(_OPERATIONS)}")
    before, after = (_row(value.get(name), name, field_schema(schema, name)) for name in ("before", "after"))
    row = before if operation is Operation.DELETE else after
    if row is None:
        missing = "before" if operation is Operation.DELETE else "after"
        raise invalid(f"{missing} is empty: a change of op {value['op']!r} has its row there")
    source = value.get("source")
    if not isinstance(source, Mapping):
        raise invalid("source is missing: it says where in the database's log the change stands")
    known = {name: one for name, one in row.items() if one != _UNAVAILABLE}
    return Change(operation, known, before, source)


def _row(value: Any, name: str, schema: Any) -> dict[str, Any] | None:
    if isinstance(value, str):  # a document of MongoDB
        value = parse_json(value, exact=True)
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise invalid(f"{name} must be an object: the row")
    return decode_row(value, schema)


def _flattened(value: Mapping[str, Any], schema: Any) -> Change:
    """A row with its facts beside it: __op, __deleted, __table, __lsn, __source_ts_ms … (add.fields of the SMT)."""
    facts: dict[str, Any] = {}
    for name, one in value.items():
        if name.startswith("__"):
            facts[name[2:].removeprefix("source_")] = one
    row = {name: one for name, one in value.items() if not name.startswith("__") and one != _UNAVAILABLE}
    if not row:
        raise invalid("the row has no column")
    deleted = str(facts.get("deleted")).lower() == "true"
    operation = Operation.DELETE if deleted else _OPERATIONS.get(str(facts.get("op")), Operation.UPDATE)
    return Change(operation, decode_row(row, schema), None, facts)


def _texts(row: Mapping[str, Any]) -> dict[str, str]:
    """A row's values as texts: a Decimal has no JSON."""
    return {name: value if isinstance(value, str) else repr(value) for name, value in row.items()}
