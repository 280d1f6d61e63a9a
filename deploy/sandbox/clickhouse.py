"""ClickHouse for the sandbox: a `clickhouse` binary on PATH, else the engine of the npm package chdb."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from deploy.ports import LOOPBACK, free_port, listens
from deploy.sandbox.server import Server
from schemas.errors import TouchlineError, UnavailableError
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect

ROOT: Final = Path(__file__).parents[2]
DATABASE: Final = "touchline"

#: clickhouse-local serves as long as its query runs; this one opens the ports and then sleeps for ever.
_SERVE: Final = (
    "SYSTEM START LISTEN TCP; SYSTEM START LISTEN HTTP; SELECT sleepEachRow(1) FROM system.numbers"
    " FORMAT Null SETTINGS function_sleep_max_microseconds_per_block = 0, max_block_size = 1"
)
#: Without these a failed log-in ends it. They take effect together only; it would prompt once the query has ended.
_AT_A_TERMINAL: Final = Path(__file__).with_name("at_terminal.py")
_INTERACTIVE: Final = ("--interactive", "--progress", "off")
_PACKAGES: Final = {
    ("Linux", "x86_64"): "lib-linux-x64-gnu",
    ("Linux", "aarch64"): "lib-linux-arm64-gnu",
    ("Darwin", "x86_64"): "lib-darwin-x64",
    ("Darwin", "arm64"): "lib-darwin-arm64",
}


class ClickHouseServer(Server):
    """A ClickHouse server on loopback, user `default` without a password. Ports of 0 take free ones.

    Data lives in `data_dir`, survives kill -9 and may be used again. `users` is a users.xml with further users: this
    server makes none by SQL.
    """

    name = "clickhouse"

    def __init__(
        self, data_dir: Path, log_dir: Path, port: int = 0, http_port: int = 0, users: str = ""
    ) -> None:
        super().__init__(log_dir)
        self.users = users
        self.data_dir = data_dir.resolve()
        self.port = port or free_port()
        self.http_port = http_port or free_port()

    @property
    def url(self) -> str:
        """Its URL for TOUCHLINE_CLICKHOUSE_URL."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """Its URL with another database."""
        return f"clickhouse://{LOOPBACK}:{self.port}/{database}?http_port={self.http_port}"

    def _ports(self) -> Iterator[tuple[int, str, str]]:
        yield self.port, "ClickHouse", "--clickhouse-port"
        yield self.http_port, "ClickHouse over HTTP", "--clickhouse-http-port"

    def _answers(self) -> bool:
        if not listens(LOOPBACK, self.port) or not listens(LOOPBACK, self.http_port):
            return False
        try:
            connect(ClickHouse.from_url(self.url), use=False).disconnect()
        except TouchlineError:
            return False
        return True

    def _prepare(self) -> list[str]:
        self.data_dir.mkdir(parents=True, exist_ok=True)
        return [
            sys.executable, "-I", "-S", str(_AT_A_TERMINAL), *engine(), *_INTERACTIVE, *self._with_users(),
            "--path", str(self.data_dir), "--tcp_port", str(self.port), "--http_port", str(self.http_port),
            "--listen_host", LOOPBACK, "--query", _SERVE,
        ]  # fmt: skip

    def _with_users(self) -> list[str]:
        if not self.users:
            return []
        users, config = (
            self.data_dir.with_name(f"{self.data_dir.name}-{part}.xml") for part in ("users", "config")
        )
        for path, text in (
            (users, self.users),
            (config, f"<clickhouse><users_config>{escape(str(users))}</users_config></clickhouse>\n"),
        ):
            path.touch(mode=0o600)
            path.write_text(text)
        return ["--config-file", str(config)]


def engine() -> list[str]:
    """The command that clickhouse-local's arguments follow. Raises UnavailableError saying what to run."""
    binary = shutil.which("clickhouse")
    if binary is not None:
        return [binary, "local"]
    return [sys.executable, str(Path(__file__).with_name("libchdb_server.py")), str(_library())]


def _library() -> Path:
    """libchdb.so: TOUCHLINE_LIBCHDB, or where `make install` puts it."""
    named = os.environ.get("TOUCHLINE_LIBCHDB")
    if named:
        if not Path(named).is_file():
            raise UnavailableError(f"TOUCHLINE_LIBCHDB names {named}, which does not exist")
        return Path(named)
    package = _PACKAGES.get((platform.system(), platform.machine()))
    if package is None:
        raise UnavailableError(
            f"there is no sandbox ClickHouse for {platform.system()} {platform.machine()}:"
            " put a `clickhouse` binary on PATH or use --clickhouse URL"
        )
    library = ROOT / "node_modules" / "@chdb" / package / "libchdb.so"
    if not library.is_file():
        raise UnavailableError(
            f"the sandbox ClickHouse is not installed: run `make install` in {ROOT},"
            " put a `clickhouse` binary on PATH or use --clickhouse URL"
        )
    return library
