"""Read-only questions to ClickHouse."""

from typing import Final

from clickhouse_driver import errors

from schemas.errors import SinkError
from schemas.settings import ClickHouse
from sinks.clickhouse import connect, reason, translated

#: Statements cannot write, and cannot switch that off.
READ_ONLY: Final = {"readonly": 1}

_READ_ONLY_CODE: Final = 164


def select(where: ClickHouse, sql: str) -> tuple[list[str], list[tuple[object, ...]]]:
    """Column names and rows of one statement. Times come as aware datetimes, bytes that are not text as hex.

    Raises SinkError with the server's own sentence if it does not accept the statement, UnavailableError or
    SettingsError if it cannot be reached.
    """
    client = connect(where)
    try:
        with translated(where):
            try:
                rows, columns = client.execute(sql, with_column_types=True, settings=READ_ONLY)
            except errors.ServerException as error:
                if error.code == _READ_ONLY_CODE:
                    raise SinkError(
                        "queries can read only: this statement would write or change a setting"
                    ) from error
                raise SinkError(reason(error)) from error
    finally:
        client.disconnect()
    return [name for name, _ in columns], [tuple(_shown(value) for value in row) for row in rows]


def _shown(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value
