"""Connections to ClickHouse over its native protocol, and what its errors mean for the user."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from clickhouse_driver import Client, errors

from schemas.errors import SettingsError, SinkError, UnavailableError
from schemas.settings import ClickHouse

CONNECT_SECONDS: Final = 5
#: Longest silence of the server within one query before the connection counts as broken.
ANSWER_SECONDS: Final = 60

#: Errors that only the user can mend; every other error of the server is worth a retry.
NOT_AUTHENTICATED: Final = {192, 193, 194, 516}  # unknown user, wrong or missing password, authentication
_REFUSED: Final = {*NOT_AUTHENTICATED, 497}  # access denied
_NOT_MIGRATED: Final = {
    16,
    36,
    60,
    81,
}  # no such column, bad arguments of an insert, unknown table, unknown database

# The driver logs every refused connection with its traceback; our one sentence says the same.
logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)


def address(where: ClickHouse) -> str:
    """How a sentence names the server: host and port, never the password."""
    return f"ClickHouse at {where.host}:{where.port}"


def connect(where: ClickHouse, settings: Mapping[str, Any] | None = None, *, use: bool = True) -> Client:
    """A client whose connection is open and answers; `settings` go with every query.

    `use=False` leaves it in the server's default database. Raises UnavailableError (nobody answers),
    SettingsError (it refuses the user, or has no such database) or SinkError (it has trouble of its own).
    """
    client = Client(
        host=where.host, port=where.port, user=where.user, password=where.password, secure=where.secure,
        client_name="touchline", connect_timeout=CONNECT_SECONDS, send_receive_timeout=ANSWER_SECONDS,
        tcp_keepalive=True, settings=dict(settings or {}),
    )  # fmt: skip
    with translated(where):
        # Not in the greeting: an unknown database there would abort the sandbox's server (libchdb 26.7).
        client.execute(f"USE {where.database}" if use else "SELECT 1")
    return client


@contextmanager
def translated(where: ClickHouse) -> Iterator[None]:
    """Turn the driver's errors into ours: UnavailableError, SettingsError or SinkError, one sentence each."""
    try:
        yield
    except errors.ServerException as error:
        raise meaning(where, error.code, reason(error)) from error
    except (errors.Error, OSError, EOFError) as error:
        raise UnavailableError(
            f"{address(where)} does not answer: start it, or set TOUCHLINE_CLICKHOUSE_URL"
        ) from error


def meaning(where: ClickHouse, code: int, reason: str) -> SettingsError | SinkError:
    """What an error of the server means, by its code."""
    if code in _REFUSED:
        return SettingsError(
            f"{address(where)} refuses user {where.user!r}: "
            "check user, password and rights of TOUCHLINE_CLICKHOUSE_URL"
        )
    if code in _NOT_MIGRATED:
        return SettingsError(
            f"{address(where)} lacks tables of database {where.database!r}: run `touchline migrate` ({reason})"
        )
    return SinkError(f"{address(where)} cannot do it now: {reason}")


def reason(error: errors.ServerException) -> str:
    """The server's own words, without its stack trace, on one line."""
    text = str(error.message).split("Stack trace:")[0].removeprefix("DB::Exception:").strip()
    return f"{' '.join(text.split()).rstrip('.')} (code {error.code})"
