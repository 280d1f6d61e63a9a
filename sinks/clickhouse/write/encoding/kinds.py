"""Kinds of columns. A kind makes a column's value of a record's field twice: in Python, and as SQL over Avro.

Both renderings agree (tests/integration/test_direct.py compares them on the real engine). A missing text is '', a
missing number or id NULL. Times are clamped to what DateTime64(3) holds. An id that is no UUID as Touchline writes it
raises ContractError in Python, and fails the statement in SQL.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from schemas.internal import check_id
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


def _id(text: str) -> str:
    check_id("a profile, change or signal", text)
    return text


def _id_sql(text: str, parser: str, odd: str) -> str:
    return f"if(throwIf({odd}, 'not a UUID as Touchline writes it'), {parser}(''), {parser}({text}))"


def _odd(text: str) -> str:
    """SQL: whether a text is not as `is_uuid` wants it. ClickHouse's parser takes other spellings, and some junk."""
    return f"toString(toUUIDOrZero({text})) != {text} OR empty(toUUIDOrZero({text}))"


#: The id of a profile, change or signal: text in records, UUID in tables.
ID: Final = Kind(_id, lambda field: _id_sql(field.expression, "toUUIDOrZero", _odd(field.expression)))

#: The same of a field that may be null, of which the reader makes '' (avro_input.py).
ID_OR_NULL: Final = Kind(
    lambda value: None if value is None else _id(value),
    lambda field: _id_sql(
        field.expression, "toUUIDOrNull", f"notEmpty({field.expression}) AND ({_odd(field.expression)})"
    ),
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


def every(kind: Kind) -> Kind:
    """An array whose items are of `kind`."""

    def sql(field: Field) -> str:
        # a lambda within the one of `tuples` needs a variable of its own
        item = field.item("o")
        return f"arrayMap({item.expression} -> {kind.sql(item)}, {field.expression})"

    return Kind(lambda items: [kind.value(item) for item in items], sql)


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
