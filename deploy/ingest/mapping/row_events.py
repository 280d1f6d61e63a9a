"""Which touchpoints a row is: one, several, or none. docs/mappings.md, "Rows that are several events".

A row of a table is often more than one event: a case was opened and was closed. A change of a row is often none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from deploy.ingest.mapping.cells import find, invalid
from deploy.ingest.mapping.change_data import Change, Operation, read_change
from deploy.ingest.mapping.columns import NUMBERED, ColumnMapping
from schemas.errors import ContractError, SettingsError
from streams.collect.messages import MessageMapping, sent_at_of
from streams.collect.senders import Sender

#: Events of one kind that a row may repeat.
MAX_REPEATS: Final = 10_000


@dataclass(frozen=True)
class Condition:
    """What a cell must be."""

    column: str
    values: frozenset[str] | None = None  #: one of these; None: whether it is filled decides
    filled: bool = True

    def holds(self, mapping: ColumnMapping, row: Mapping[str, Any]) -> bool:
        """Whether a row has it so."""
        text = mapping.cell(row, self.column)
        return bool(text) is self.filled if self.values is None else text in self.values


@dataclass(frozen=True)
class EventRule:
    """One of the events that a row may be."""

    name: str  #: ends the event id
    mapping: ColumnMapping  #: the whole file's, with this event's own entries over it
    when: tuple[Condition, ...] = ()
    on: frozenset[Operation] = frozenset(Operation)  #: changes that make it
    changed: tuple[str, ...] = ()  #: an update makes it only if it changes one of these; empty: any update
    repeat: str = (
        ""  #: column with {n} in its name: an event for each n from 0 on, up to the first that is empty
    )

    def events(self, row: Mapping[str, Any], event_id: str) -> Iterator[dict[str, Any]]:
        """The events of this rule in a row. Raises ContractError."""
        if not self.repeat:
            yield {**self.mapping.touchpoint(row), "event_id": f"{event_id}-{self.name}"}
            return
        for number in range(MAX_REPEATS):
            one = {**row, **{column: find(row, _numbered(column, number)) for column in self._columns}}
            if not self.mapping.cell(one, self.repeat):
                return
            yield {**self.mapping.touchpoint(one), "event_id": f"{event_id}-{self.name}-{number}"}
        raise invalid(f"the row repeats {self.repeat!r} more than {MAX_REPEATS:,} times")

    @cached_property
    def _columns(self) -> list[str]:
        named = self.mapping.named()
        return [column for column in (*named, self.repeat) if NUMBERED in column]


@dataclass(frozen=True)
class Table:
    """What [change] says: rows are change data."""

    tables: tuple[str, ...] = ()  #: whose rows count; empty: all
    columns: tuple[str, ...] = ()  #: an update that changes none of these makes nothing; empty: any may


@dataclass(frozen=True)
class SourceMapping:
    """A mapping file: how a row's columns are read, and which events a row is."""

    columns: ColumnMapping
    rules: tuple[EventRule, ...] = ()
    when: tuple[Condition, ...] = ()  #: rows that do not have all of it so are left out
    unless: tuple[Condition, ...] = ()  #: rows that have one of it so are left out
    change: Table | None = None
    messages: MessageMapping | None = None  #: rows are messages of a tracking SDK, which this reads
    sender: Sender | None = None  #: tenant, source and channel of such messages

    @property
    def layout(self) -> Any:
        """How the file is written."""
        return self.columns.layout

    def required(self) -> set[str]:
        """The columns of required fields and of identifiers, of every event."""
        return set() if self.messages else set().union(*(one.required() for one in self._mappings()))

    def needed(self) -> set[str]:
        """The columns that a file must have."""
        if self.messages:
            return set()
        conditions = {
            one.column
            for one in (*self.when, *self.unless, *(one for rule in self.rules for one in rule.when))
        }
        named = set().union(*(one.needed() for one in self._mappings()))
        return named | {one for one in conditions - self.columns.optional if NUMBERED not in one}

    def check_columns(self, present: list[str], origin: str) -> None:
        """Raise SettingsError if a row of CSV file `origin` lacks a column that the mapping names."""
        if self.messages or self.change:
            raise SettingsError(f"{origin} is CSV, and this mapping reads messages, which are JSON Lines")
        self.columns.check_columns(present, origin, self.needed())

    def apply(self, row: object) -> dict[str, Any]:
        """The only event of a row. Raises ContractError, also if it is several or none."""
        found = self.events(row, 0)
        if len(found) != 1:
            raise invalid(f"the row is {len(found)} events")
        return found[0]

    def events(self, value: object, received_at: int) -> list[dict[str, Any]]:
        """The JSON form of each touchpoint in a row or message; `received_at` (UTC ms) is a message's.

        Raises ContractError, then none of them counts.
        """
        if self.messages is not None and self.sender is not None:
            received = sent_at_of(value, "receivedAt")
            sent = None if received is None else sent_at_of(value)
            return [self.messages.touchpoint(value, self.sender, received or received_at, sent)]
        if self.change is None:
            return self._of_row(self.columns.opened(value), None)
        change = read_change(value)
        if change is None or not self._concerns(change, self.change):
            return []
        return self._of_row(self.columns.opened(change.columns()), change)

    def row(self, value: object) -> object:
        """The columns of a row; of change data also the facts about the change. None if it is none."""
        try:
            change = read_change(value) if self.change else None
            if self.change:
                return None if change is None else self.columns.opened(change.columns())
            return self.columns.opened(value)
        except ContractError:
            return None

    def _of_row(self, row: Mapping[str, Any], change: Change | None) -> list[dict[str, Any]]:
        if not all(one.holds(self.columns, row) for one in self.when):
            return []
        if any(one.holds(self.columns, row) for one in self.unless):
            return []
        if not self.rules:
            event = self.columns.touchpoint(row)
            return [event if change is None else {**event, "event_id": self._event_id(row, change)}]
        rules = [rule for rule in self.rules if self._makes(rule, row, change)]
        event_id = self._event_id(row, change) if rules else ""
        return [event for rule in rules for event in rule.events(row, event_id)]

    def _makes(self, rule: EventRule, row: Mapping[str, Any], change: Change | None) -> bool:
        if change is not None and (
            change.operation not in rule.on or (rule.changed and not change.changes(rule.changed))
        ):
            return False
        return all(one.holds(rule.mapping, row) for one in rule.when)

    def _event_id(self, row: Mapping[str, Any], change: Change | None) -> str:
        columns = self.columns
        if columns.derived_from is None:
            text = "".join(columns.cell(row, column) for column in columns.columns["event_id"])
            if not text:
                raise invalid("event_id is missing")
            return text
        if change is not None and not columns.derived_from:
            return change.event_id()
        return columns.derived_id(row)

    def _concerns(self, change: Change, table: Table) -> bool:
        return (not table.tables or change.is_of(table.tables)) and (
            not table.columns or change.changes(table.columns)
        )

    def _mappings(self) -> list[ColumnMapping]:
        return [rule.mapping for rule in self.rules] or [self.columns]


def _numbered(column: str, number: int) -> str:
    return column.replace(NUMBERED, str(number))
