"""Writes Avro files to ClickHouse over HTTP: the native protocol has no Avro."""

import ssl
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Final
from urllib.parse import urlencode

from schemas.errors import SettingsError, TouchlineError, UnavailableError
from schemas.settings import ClickHouse
from schemas.tls import client_context
from sinks.clickhouse.cluster import consistency
from sinks.clickhouse.connection import (
    ANSWER_SECONDS,
    CONNECT_SECONDS,
    NOT_AUTHENTICATED,
    meaning,
    untrusted,
)
from sinks.clickhouse.write.encoding.avro_statement import statement
from sinks.clickhouse.write.encoding.columns import TOPIC
from sinks.clickhouse.write.inserts import MAX_ROWS, AvroInsert

#: As native_writer.SETTINGS. One file is one block, so it is atomic, and the server knows the token of a repeated one.
SETTINGS: Final = {
    "async_insert": 0,
    "insert_deduplicate": 1,
    "optimize_on_insert": 0,
    "max_partitions_per_insert_block": 0,
    "max_block_size": MAX_ROWS,
    "max_insert_block_size": MAX_ROWS,
    "min_insert_block_size_rows": MAX_ROWS,
    "min_insert_block_size_bytes": 0,
    "max_insert_threads": 1,
    # The status says how the insert ended, not how it began: 200 means that the part is on disk.
    "wait_end_of_query": 1,
}


class RefusedError(TouchlineError):
    """ClickHouse refuses a file. Response: insert its records as rows, which finds the bad record.

    `brief` is its text without what the server said, which may quote the record.
    """

    def __init__(self, brief: str, said: str) -> None:
        super().__init__(f"{brief}: {said}")
        self.brief = brief


class HttpWriter:
    """Writes Avro files. A Writer[AvroInsert] (inserts.py)."""

    def __init__(self, where: ClickHouse) -> None:
        self._where = where
        self._connection: HTTPConnection | None = None

    def write(self, insert: AvroInsert) -> None:
        """Return once the rows are durable. Raises UnavailableError (retry), RefusedError, or SettingsError (stop)."""
        try:
            response, said = self._post(insert)
        except (OSError, HTTPException) as error:
            self.close()
            if isinstance(error, ssl.SSLError):
                raise untrusted(self._address, error.reason or str(error)) from error
            raise UnavailableError(
                f"{self._address} does not answer: start it, or check http_port in TOUCHLINE_CLICKHOUSE_URL"
            ) from error
        except BaseException:
            self.close()
            raise
        if response.status != 200:
            # The server may not have read the file to its end.
            self.close()
            raise self._error(response, said)

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    @property
    def _address(self) -> str:
        return f"ClickHouse at {self._where.host}:{self._where.http_port}"

    def _post(self, insert: AvroInsert) -> tuple[HTTPResponse, bytes]:
        """Send the request and read the whole response. Tries once more if the server has closed an idle connection."""
        idle = self._connection is not None
        try:
            return self._exchange(insert)
        except (ConnectionError, HTTPException):
            if not idle:
                raise
            self.close()
            return self._exchange(insert)

    def _exchange(self, insert: AvroInsert) -> tuple[HTTPResponse, bytes]:
        if self._connection is None:
            self._connection = self._connect()
        asked = {
            "query": statement(insert.name, self._where.database),
            f"param_{TOPIC}": insert.topic,
            "insert_deduplication_token": insert.token,
            **SETTINGS,
            **consistency(self._where),
        }
        headers = {
            "X-ClickHouse-User": self._where.user.encode(),
            "X-ClickHouse-Key": self._where.password.encode(),
        }
        self._connection.request("POST", f"/?{urlencode(asked)}", insert.file, headers)
        response = self._connection.getresponse()
        return response, response.read()

    def _connect(self) -> HTTPConnection:
        where = self._where
        if where.secure:
            context = client_context("ca in TOUCHLINE_CLICKHOUSE_URL", where.ca)
            connection: HTTPConnection = HTTPSConnection(
                where.host, where.http_port, timeout=CONNECT_SECONDS, context=context
            )
        else:
            connection = HTTPConnection(where.host, where.http_port, timeout=CONNECT_SECONDS)
        connection.connect()
        connection.sock.settimeout(ANSWER_SECONDS)
        return connection

    def _error(self, response: HTTPResponse, said: bytes) -> TouchlineError:
        code = response.headers.get("X-ClickHouse-Exception-Code", "")
        if not code.isdecimal():
            if response.status >= 500:
                return UnavailableError(
                    f"{self._address} cannot be reached: something answers {response.status} for it"
                )
            return SettingsError(
                f"what answers at {self._where.host}:{self._where.http_port} is not ClickHouse:"
                " check http_port in TOUCHLINE_CLICKHOUSE_URL"
            )
        if int(code) in NOT_AUTHENTICATED:
            return meaning(self._where, int(code), "")
        text = " ".join(said.decode(errors="replace").split())
        return RefusedError(f"{self._address} does not take a file of Avro (code {code})", text[:300])
