"""Connections to ClickHouse over its native protocol, and the translation of its errors into Touchline's."""

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

from clickhouse_driver import Client, errors

from schemas.errors import SettingsError, SinkError, UnavailableError
from schemas.settings import ClickHouse
from sinks.clickhouse.cluster import consistency

CONNECT_SECONDS: Final = 5
#: Seconds of silence within one query after which the connection counts as broken.
ANSWER_SECONDS: Final = 60

#: Error codes that a retry cannot mend: the user must change a setting. All other codes become a SinkError.
NOT_AUTHENTICATED: Final = {192, 193, 194, 516}  #: unknown user, wrong or missing password, authentication
_REFUSED: Final = {*NOT_AUTHENTICATED, 497}  #: and access denied
#: How Python's TLS words its errors: `[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: … (_ssl.c:1006)`.
_OF_TLS: Final = re.compile(r"\[SSL[^]]*\]\s*([^(\n]+)")
#: No such column, bad arguments of an insert, unknown table, unknown database.
_NOT_MIGRATED: Final = {16, 36, 60, 81}

# The driver logs every refused connection with its traceback. Touchline says the same in one sentence.
logging.getLogger("clickhouse_driver").setLevel(logging.CRITICAL)


def address(where: ClickHouse) -> str:
    """The server as messages name it: host and port, never the password."""
    return f"ClickHouse at {where.host}:{where.port}"


class _TextClient(Client):  # type: ignore[misc]  # the driver has no types
    """A client whose answers hold ids as texts, in the form in which Kafka, JSON, the page and the CLI show them.

    In tables the ids of profiles, changes and signals are UUIDs. This is the one place where they become texts again.
    """

    def execute(self, query: str, params: Any = None, with_column_types: bool = False, **options: Any) -> Any:
        """As the driver's `execute`."""
        answer = super().execute(query, params, with_column_types=True, **options)
        if not isinstance(answer, tuple):
            return answer  # the number of rows that were inserted
        found, types = answer
        ids = {number for number, (_, type_) in enumerate(types) if "UUID" in type_}
        if ids and options.get("columnar"):
            found = [_texts(column) if number in ids else column for number, column in enumerate(found)]
        elif ids:
            found = [
                tuple(_texts(value) if number in ids else value for number, value in enumerate(row))
                for row in found
            ]
        return (found, types) if with_column_types else found


def _texts(value: Any) -> Any:
    """A value with every UUID in it as text."""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, list | tuple):
        return type(value)(map(_texts, value))
    if isinstance(value, dict):
        return {_texts(key): _texts(entry) for key, entry in value.items()}
    return value


def connect(where: ClickHouse, settings: Mapping[str, Any] | None = None, *, use: bool = True) -> Client:
    """Open a connection and check that the server answers. The client sends `settings` with every query.

    `use=False` keeps the server's default database. Raises UnavailableError if the server does not answer,
    SettingsError if it refuses the user or has no such database, SinkError for any other error of the server.
    The client answers with ids as texts, and takes texts for them.
    """
    client: Client = _TextClient(
        host=where.host, port=where.port, user=where.user, password=where.password, secure=where.secure,
        client_name="touchline", connect_timeout=CONNECT_SECONDS, send_receive_timeout=ANSWER_SECONDS,
        tcp_keepalive=True, ca_certs=where.ca or None, settings={**consistency(where), **(settings or {})},
    )  # fmt: skip
    with translated(where):
        # Not in the greeting: an unknown database there ends a clickhouse-local that is not the sandbox's.
        client.execute(f"USE {where.database}" if use else "SELECT 1")
    return client


@contextmanager
def translated(where: ClickHouse) -> Iterator[None]:
    """Raise the driver's errors as UnavailableError, SettingsError or SinkError, each with one sentence."""
    try:
        yield
    except errors.ServerException as error:
        raise meaning(where, error.code, reason(error)) from error
    except (errors.Error, OSError, EOFError) as error:
        if where.secure and (found := _OF_TLS.search(str(error))):
            raise untrusted(address(where), found[1]) from error
        raise UnavailableError(
            f"{address(where)} does not answer: start it, or set TOUCHLINE_CLICKHOUSE_URL"
        ) from error


def untrusted(server: str, said: str) -> UnavailableError:
    """The error of a server that speaks no TLS, or shows a certificate that the authorities did not sign."""
    return UnavailableError(
        f"{server} cannot be trusted ({said.strip()}): check the server's certificate, and scheme, host and ca of"
        " TOUCHLINE_CLICKHOUSE_URL"
    )


def meaning(where: ClickHouse, code: int, reason: str) -> SettingsError | SinkError:
    """The error for a code of the server: SettingsError if only the user can mend it, else SinkError."""
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
    """The server's message on one line, without its stack trace."""
    text = str(error.message).split("Stack trace:")[0].removeprefix("DB::Exception:").strip()
    return f"{' '.join(text.split()).rstrip('.')} (code {error.code})"
