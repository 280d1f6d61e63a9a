"""The INSERT with which ClickHouse decodes an Avro file itself and computes the columns of tables.py."""

from functools import cache
from typing import Final

from schemas.encoding.codec import HEADER_BYTES
from schemas.encoding.registry import current
from sinks.clickhouse.write.encoding.avro_file import END, END_BYTES, HEAD, PLACE, PLACE_BYTES
from sinks.clickhouse.write.encoding.avro_input import columns
from sinks.clickhouse.write.encoding.tables import TABLES

#: The records that come by the million. Only these are worth a statement.
AVRO_RECORDS: Final = ("ResolvedTouchpoint", "JourneyState")


@cache
def statement(name: str, database: str) -> str:
    """The INSERT of a file of records `name`; the file follows it. One bad record fails the whole statement."""
    schema = current()[name]
    read = columns(schema)
    declared = ", ".join((
        f"{PLACE} FixedString({PLACE_BYTES})", f"{HEAD} FixedString({HEADER_BYTES})",
        *(f"`{column.name}` {column.type}" for column in read), f"{END} FixedString({len(END_BYTES)})",
    ))  # fmt: skip
    checks = (f"{END} = unhex('{END_BYTES.hex()}')", *(check for column in read for check in column.checks))
    made = TABLES[name].expressions(schema)
    return (
        f"INSERT INTO {database}.{TABLES[name].name} ({', '.join(made)})"  # noqa: S608 (names of our own)
        f" SELECT {', '.join(made.values())} FROM input('{declared}')"
        f" WHERE throwIf(NOT ({' AND '.join(checks)}), 'not what the codec accepts') = 0 FORMAT Avro"
    )
