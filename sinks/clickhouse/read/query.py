"""Read-only statements, with the server's errors in one sentence."""

import re
from collections.abc import Mapping
from typing import Any, Final

from clickhouse_driver import errors

from schemas.errors import SinkError
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect, reason, translated

#: With this setting a statement can neither write nor change settings.
READ_ONLY: Final = {"readonly": 1}

LONGEST: Final = 300  #: characters that an error shows of the server's message
NEAR: Final = 30  #: characters of the statement that an error shows

_READ_ONLY_CODE: Final = 164
_SYNTAX: Final = re.compile(r"Syntax error.*?: failed at position (?P<position>\d+)")


def read_only(where: ClickHouse) -> dict[str, int]:
    """The settings of a statement that may only read. An analyst's server has them, and refuses to be told."""
    return {} if where.limited else dict(READ_ONLY)


def select(
    where: ClickHouse, sql: str, parameters: Mapping[str, Any] | None = None
) -> tuple[list[str], list[tuple[object, ...]]]:
    """Run one statement. Returns the column names and the rows; times are datetimes with a time zone.

    `parameters` are the values of its {name:Type}; the server reads them, so nothing in them is SQL.

    Raises SinkError with the server's message if the server refuses the statement, UnavailableError or SettingsError
    if it does not answer.
    """
    client = connect(where, {"server_side_params": True})
    try:
        with translated(where):
            try:
                rows, columns = client.execute(
                    sql, dict(parameters or {}) or None, with_column_types=True, settings=read_only(where)
                )
            except errors.ServerException as error:
                if error.code == _READ_ONLY_CODE:
                    raise SinkError(
                        "queries can read only: this statement would write or change a setting"
                    ) from error
                # a statement that is right needs no hint, and the questions that hints know are read from files
                from sinks.clickhouse.read.hints import hint

                said = reason(error)
                advice = hint(sql, error.code, said, limited=where.limited)
                raise SinkError(advice or explained(sql, said)) from error
    finally:
        client.disconnect()
    return [name for name, _ in columns], rows


def explained(sql: str, said: str) -> str:
    """The server's message about a statement, shortened. A syntax error gets line, column and the text found there."""
    found = _SYNTAX.search(said)
    if found is None:
        return said if len(said) <= LONGEST else f"{said[:LONGEST].rstrip()} …"
    before = sql.encode()[: int(found["position"]) - 1].decode(errors="ignore")
    line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    after = " ".join(sql[len(before) :].split())
    near = (
        "at the end"
        if not after
        else f"near `{after if len(after) <= NEAR else after[:NEAR].rstrip() + ' …'}`"
    )
    why = said.split(". Expected", 1)
    expected = f": expected{why[1].removesuffix(_code(said))}" if len(why) == 2 else ""
    expected = expected.replace(" one of:", " one of", 1)
    if len(expected) > LONGEST // 2:
        expected = ""
    return f"syntax error in line {line}, column {column}, {near}{expected}"


def _code(said: str) -> str:
    return said[said.rfind(" (code ") :] if " (code " in said else ""
