"""Where ClickHouse is: the parts of TOUCHLINE_CLICKHOUSE_URL."""

import re
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from schemas.errors import SettingsError
from schemas.secret_files import read_secret
from schemas.tls import client_context

_SQL_NAME: Final = re.compile(r"[A-Za-z_]\w{0,63}")


@dataclass(frozen=True)
class ClickHouse:
    """Where ClickHouse is. The password never shows in a repr or a log line."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str = "touchline"
    secure: bool = False
    http_port: int = 0  #: of the same host, for Avro; 0 for none
    limited: bool = False  #: whether the server itself lets the user only read, and change no such setting
    cluster: str = ""  #: tables are replicated over it; empty for one server
    ca: str = ""  #: PEM file of the authorities that sign the server's certificate; empty for the system's

    @classmethod
    def from_url(cls, url: str) -> "ClickHouse":
        """Parse clickhouse://user:password@host:port/database?http_port=port, or @FILE that holds it.

        Raises SettingsError.
        """
        parts = urlsplit(read_secret("TOUCHLINE_CLICKHOUSE_URL", url))
        hint = "TOUCHLINE_CLICKHOUSE_URL must read clickhouse://user:password@host:port/database"
        if parts.scheme not in ("clickhouse", "clickhouses") or not parts.hostname:
            raise SettingsError(hint)
        try:
            port = parts.port
        except ValueError as error:
            raise SettingsError(f"{hint}: the port is not a number") from error
        database = parts.path.strip("/") or "touchline"
        if not _SQL_NAME.fullmatch(database):
            raise SettingsError(f"{hint}: the database name may hold letters, digits and _ only")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        http_port = query.pop("http_port", "0")
        cluster = query.pop("cluster", "")
        if cluster and not _SQL_NAME.fullmatch(cluster):
            raise SettingsError(f"{hint}: the name of the cluster may hold letters, digits and _ only")
        ca = query.pop("ca", "")
        if query:
            raise SettingsError(f"{hint}: after the ? it knows http_port, cluster and ca, not {min(query)}")
        if not (http_port.isdecimal() and int(http_port) < 1 << 16):
            raise SettingsError(f"{hint}: http_port is not the number of a port")
        secure = parts.scheme == "clickhouses"
        if ca and not secure:
            raise SettingsError("TOUCHLINE_CLICKHOUSE_URL has ca, but no TLS: begin it with clickhouses://")
        if ca:
            client_context("ca in TOUCHLINE_CLICKHOUSE_URL", ca)
        return cls(
            host=parts.hostname, port=port or (9440 if secure else 9000), user=unquote(parts.username or "default"),
            password=unquote(parts.password or ""), database=database, secure=secure, http_port=int(http_port),
            cluster=cluster, ca=ca,
        )  # fmt: skip
