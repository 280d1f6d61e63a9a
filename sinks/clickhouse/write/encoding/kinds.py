"""Kinds of columns. A kind makes a column's value of a record's field twice: in Python, and as SQL over Avro.

Both renderings agree (tests/integration/test_direct.py compares them on the real engine). A missing text is '' and
a missing number NULL. Times are clamped to what DateTime64(3) holds.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from sinks.clickhouse.values import EARLIEST, LATEST, moment
from sinks.clickhouse.write.encoding.avro_input import Field


class Kind(NamedTuple):
    """`value` takes the field's Python value, None for null. `sql` takes the field as ClickHouse reads it."""

    value: Callable[[Any], Any]
    sql: Callable[[Field], str]


def clamped(time: str) -> str:
    """SQL: UTC milliseconds within what DateTime64(3) holds, as `moment`. NULL stays NULL."""
    # least() and greatest() would skip a NULL
    return f"multiIf({time} < {EARLIEST}, {EARLIEST}, {time} > {LATEST}, {LATEST}, {time})"


def _or_empty(expression: str, field: Field) -> str:
    return f"ifNull({expression}, '')" if field.nullable else expression


def _symbol(field: Field) -> str:
    """SQL: the name of an enum's symbol. The statement checks that the number has one (avro_input.py)."""
    names = ", ".join(f"'{symbol}'" for symbol in field.schema["symbols"])
    return _or_empty(f"[{names}][{field.expression} + 1]", field)


NUMBER: Final = Kind(lambda value: value, lambda field: field.expression)

#: A number that is 0 where the record has none.
COUNT: Final = Kind(lambda value: value or 0, lambda field: f"ifNull({field.expression}, 0)")

#: ClickHouse's Avro reader reads a boolean as UInt8.
FLAG: Final = Kind(int, lambda field: field.expression)

TEXT: Final = Kind(lambda value: value or "", lambda field: _or_empty(field.expression, field))

BYTES: Final = Kind(lambda value: value or b"", lambda field: _or_empty(field.expression, field))

#: An enum: ClickHouse reads the number of its symbol.
SYMBOL: Final = Kind(lambda value: value or "", _symbol)

#: UTC milliseconds as DateTime64(3).
TIME: Final = Kind(
    lambda value: None if value is None else moment(value),
    lambda field: f"fromUnixTimestamp64Milli({clamped(field.expression)}, 'UTC')",
)

#: A version as UInt64: a negative one becomes 0.
VERSION: Final = Kind(
    lambda value: max(value, 0),
    lambda field: f"if({field.expression} < 0, 0, toUInt64({field.expression}))",
)

#: Texts, numbers or maps of them that ClickHouse stores as it reads them.
AS_READ: Final = NUMBER


def each(kind: Kind, of: str = "") -> Kind:
    """A map whose values are of `kind`. `of` names the field to take where the values are records."""

    def value(entries: dict[str, Any]) -> dict[str, Any]:
        return {key: kind.value(entry[of] if of else entry) for key, entry in entries.items()}

    def sql(field: Field) -> str:
        entry = field.value("v")
        made = kind.sql(entry.part(of) if of else entry)
        return (
            f"mapFromArrays(mapKeys({field.expression}),"
            f" arrayMap({entry.expression} -> {made}, mapValues({field.expression})))"
        )

    return Kind(value, sql)


def tuples(**parts: Kind) -> Kind:
    """An array of tuples, made of records. The names are the records' fields, in the order of the tuple's elements."""

    def value(items: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
        return [tuple(kind.value(item[name]) for name, kind in parts.items()) for item in items]

    def sql(field: Field) -> str:
        item = field.item("i")
        made = [kind.sql(item.part(name)) for name, kind in parts.items()]
        # ClickHouse's Avro reader reads a record as a tuple of all its fields
        if made == [item.part(inner["name"]).expression for inner in item.schema["fields"]]:
            return field.expression
        return f"arrayMap({item.expression} -> tuple({', '.join(made)}), {field.expression})"

    return Kind(value, sql)
