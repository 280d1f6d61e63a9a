"""Everything that `touchline up` runs, broker to loader: start in order, watch, stop in reverse."""

import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from deploy.kafka_admin.client import require_broker
from deploy.kafka_admin.meanings import meanings
from deploy.kafka_admin.topics import create_topics
from deploy.ports import LOOPBACK, free_port, require_free
from deploy.sandbox.brokers import Broker, KafkaBroker, TansuBroker
from deploy.sandbox.clickhouse import DATABASE, ClickHouseServer
from deploy.sandbox.metrics_ports import metrics_ports
from deploy.sandbox.process import Process
from deploy.sandbox.restarts import Restarts
from schemas.errors import SettingsError, UnavailableError
from schemas.settings import ClickHouse, Settings
from sinks.clickhouse.analyst import Analyst, Readable, make_analyst, users_xml
from sinks.clickhouse.connection import connect
from sinks.clickhouse.erasure.rows import TABLES as ERASED_TABLES
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.retention import keep, keep_files
from sinks.clickhouse.write.catalogue import put_in_force

SANDBOX: Final = "sandbox"
KAFKA: Final = "kafka"
ANALYST: Final = "analyst"  #: the read-only user of the sandbox's ClickHouse
#: Seconds. Both brokers refuse less, and a group join on Tansu takes half of it.
SESSION_TIMEOUT: Final = 6.0
_TOUCHLINE: Final = [sys.executable, "-m", "deploy.cli"]

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What to run. `broker` is sandbox, kafka or host:port; `clickhouse` is sandbox or a URL."""

    run_dir: Path  #: logs, environment and, of a sandbox, the data
    broker: str = SANDBOX
    clickhouse: str = SANDBOX
    keep: bool = False  #: whether the data in run_dir is kept
    workers: int = 1
    kafka_port: int = 0
    clickhouse_port: int = 0
    clickhouse_http_port: int = 0
    page_port: int | None = None  #: of the live page, 0 for a free one; None: no page
    serve_port: int | None = None  #: of `touchline serve`, 0 for a free one; None: no such service

    def __post_init__(self) -> None:
        if self.keep and self.broker == SANDBOX:
            raise SettingsError(
                "the sandbox broker keeps everything in memory, so --data would keep ClickHouse and"
                " lose Kafka: use --broker kafka with --data"
            )
        if self.workers < 0:
            raise SettingsError(f"--workers is {self.workers}: it must be 0 or more")


class Stack:
    """The processes of a plan. `settings` is complete after `start` has returned."""

    def __init__(self, plan: Plan, base: Settings, environ: Mapping[str, str]) -> None:
        self.plan = plan
        self.settings = self._settings(base, environ)
        self.broker = self._broker()
        self.clickhouse = self._clickhouse()
        self.page_port = free_port() if plan.page_port == 0 else plan.page_port
        self.serve_port = free_port() if plan.serve_port == 0 else plan.serve_port
        self.children: list[Process] = []
        self._restarts: dict[str, Restarts] = {}
        if self.broker is not None:
            self.settings = replace(
                self.settings, brokers=self.broker.address, idempotent_producer=int(self.broker.idempotent)
            )
        if self.clickhouse is not None:
            self.settings = replace(self.settings, clickhouse_url=self.clickhouse.url)

    @property
    def logs(self) -> Path:
        """Where each part's log is."""
        return self.plan.run_dir / "logs"

    @property
    def env_file(self) -> Path:
        """The file that another terminal sources to talk to this stack."""
        return self.plan.run_dir / "env"

    def start(self, say: Say) -> None:
        """Start everything, saying each step. Raises TouchlineError; call `stop` after that too."""
        self._start_broker(say)
        if self.page_port is not None:
            require_free(self.page_port, "the page", "--page-port")
        if self.serve_port is not None:
            require_free(self.serve_port, "the service of subscribers", "--serve-port")
        created = create_topics(self.settings)
        say(f"topics: {len(created)} created" if created else "topics: all there")
        self._start_clickhouse(say)
        applied = migrate(self.settings.clickhouse())
        keep(self.settings.clickhouse(), self.settings.retention)
        keep_files(self.settings.clickhouse(), ERASED_TABLES, self.settings.erased_files_seconds)
        put_in_force(self.settings.clickhouse(), meanings(self.settings))
        analyst = Analyst.of(self.settings)
        if analyst is not None:
            make_analyst(self.settings.clickhouse(), analyst)
        say(f"tables: {len(applied)} migrations applied" if applied else "tables: up to date")
        self.write_env()
        self._start_children(say)

    def write_env(self) -> None:
        """Write the file of `export` lines, readable by its owner only; with it the shell finds `touchline`."""
        # a command that serves metrics itself needs a port of its own
        settings = replace(self.settings, metrics_port=0)
        lines = [f"export {variable}={_quoted(value)}" for variable, value in settings.to_env().items()]
        lines.append(f'export PATH={_quoted(str(Path(sys.executable).parent))}:"$PATH"')
        write_secret(self.env_file, "\n".join(lines) + "\n")

    def watch(self, say: Say) -> None:
        """Restart what died of the children. Raises UnavailableError when broker or ClickHouse died."""
        for part in (self.broker, self.clickhouse):
            process = part.process if part is not None else None
            if process is not None and not process.alive:
                raise UnavailableError(
                    f"{process.name} {process.ending()}, so everything stops; {process.log_ending()}"
                )
        for child in self.children:
            self._revive(child, say)

    def stop(self, say: Say) -> None:
        """Stop everything in reverse order: each with SIGTERM, and with SIGKILL after its timeout."""
        for child in reversed(self.children):
            if child.alive:
                say(f"stopping {child.name}")
                child.stop()
        for part in (self.clickhouse, self.broker):
            if part is not None and part.process is not None and part.process.alive:
                say(f"stopping {part.process.name}")
                part.stop()

    def kill(self) -> None:
        """End everything at once."""
        for child in self.children:
            child.kill()
        for part in (self.clickhouse, self.broker):
            if part is not None:
                part.kill()

    def restarts(self) -> int:
        """How often a worker, a loader, the page or the service was started again."""
        return sum(restarts.total for restarts in self._restarts.values())

    def _settings(self, base: Settings, environ: Mapping[str, str]) -> Settings:
        settings = base
        if self.plan.broker in (SANDBOX, KAFKA) and "TOUCHLINE_SESSION_TIMEOUT" not in environ:
            settings = replace(settings, session_timeout=SESSION_TIMEOUT)
        if not settings.pseudonym_key:
            settings = replace(settings, pseudonym_key=pseudonym_key(self.plan.run_dir))
        settings.pseudonym_secret()  # a key that cannot be read would stop each process, again and again
        return settings

    def _broker(self) -> Broker | None:
        if self.plan.broker == SANDBOX:
            return TansuBroker(self.logs, self.plan.kafka_port)
        if self.plan.broker == KAFKA:
            return KafkaBroker(self.plan.run_dir / "kafka", self.logs, self.plan.kafka_port)
        self.settings = replace(self.settings, brokers=self.plan.broker)
        return None

    def _clickhouse(self) -> ClickHouseServer | None:
        if self.plan.clickhouse == SANDBOX:
            data, ports = (
                self.plan.run_dir / "clickhouse",
                (self.plan.clickhouse_port, self.plan.clickhouse_http_port),
            )
            return ClickHouseServer(data, self.logs, *ports, users=self._analyst_xml())
        ClickHouse.from_url(self.plan.clickhouse)
        self.settings = replace(self.settings, clickhouse_url=self.plan.clickhouse)
        return None

    def _analyst_xml(self) -> str:
        """The users.xml with the analyst, who is named in the settings if nobody did."""
        if not self.settings.analyst_user:
            path = self.plan.run_dir / "analyst.password"
            self.settings = replace(self.settings, analyst_user=ANALYST, analyst_password=secret_file(path))
        analyst = Analyst.of(self.settings)
        assert analyst is not None
        if analyst.tenants:
            raise SettingsError(
                "TOUCHLINE_ANALYST_TENANTS is set, but the sandbox's ClickHouse has one analyst for all tenants:"
                " unset it, or use --clickhouse URL"
            )
        return users_xml([analyst], DATABASE, Readable(), with_default=True)

    def _start_broker(self, say: Say) -> None:
        if self.broker is None:
            require_broker(self.settings.brokers)
        else:
            self.broker.start()
        say(f"broker: {self.settings.brokers}")

    def _start_clickhouse(self, say: Say) -> None:
        server = self.settings.clickhouse()
        if self.clickhouse is None:
            connect(server, use=False).disconnect()
        else:
            self.clickhouse.start()
        say(f"ClickHouse: {server.host}:{server.port}, database {server.database}")

    def _start_children(self, say: Say) -> None:
        children = [(f"worker-{number}", ["worker"]) for number in range(1, self.plan.workers + 1)]
        children += [("loader", ["load"]), *self._services()]
        names = [name for name, _ in children]
        ports = metrics_ports(self.settings.metrics_port, names, self.plan.run_dir, say)
        for name, command in children:
            env = replace(self.settings, metrics_port=ports[name]).to_env()
            child = Process(name, [*_TOUCHLINE, *command], self.logs / f"{name}.log", env)
            self.children.append(child)
            child.start()
            self._restarts[name] = Restarts(started=time.monotonic())
        say(f"processes: {', '.join(child.name for child in self.children)}")
        if self.page_port is not None:
            say(f"page: http://{LOOPBACK}:{self.page_port}/")
        if self.serve_port is not None:
            say(f"subscribers: http://{LOOPBACK}:{self.serve_port}/v1/")

    def _services(self) -> Iterator[tuple[str, list[str]]]:
        """Name and command of what only reads."""
        if self.page_port is not None:
            yield "page", ["page", "--port", str(self.page_port)]
        if self.serve_port is not None:
            table = self.plan.run_dir / "states.db"
            yield "serve", ["serve", "--open", "--port", str(self.serve_port), "--table", str(table)]

    def _revive(self, child: Process, say: Say) -> None:
        now, restarts = time.monotonic(), self._restarts[child.name]
        if child.alive:
            return
        if restarts.again_at is None:
            restarts = restarts.died(now)
            self._restarts[child.name] = restarts
            pause = (restarts.again_at or now) - now
            say(f"{child.name} {child.ending()}, starts again in {pause:.0f} s; {child.log_ending()}")
        elif restarts.due(now):
            child.start()
            self._restarts[child.name] = restarts.restarted(now)


def pseudonym_key(run_dir: Path) -> str:
    """The run directory's own secret for pseudonyms, made the first time: a setting that names its file."""
    return secret_file(run_dir / "pseudonym.key")


def secret_file(path: Path) -> str:
    """A secret that is made the first time: a setting that names its file."""
    if not path.exists():
        write_secret(path, secrets.token_hex(32) + "\n")
    return f"@{path.resolve()}"


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whatever was there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


def _quoted(value: str) -> str:
    """A value as a word of the shell."""
    return "'" + value.replace("'", "'\\''") + "'"
