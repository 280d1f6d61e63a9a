"""deploy/compose/compose.yaml without containers: its services as processes, each at a loopback address of its own.

A service's name becomes its address, so the ports are those of the file. What the images bring is replaced by what the
sandbox has: Kafka's jars with the file's own settings, ClickHouse's engine with the file's own user.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

from deploy.sandbox import ClickHouseServer, KafkaBroker, Process
from sinks.clickhouse.analyst import Analyst, Readable, users_xml
from tests.integration.collecting import python_clients
from tests.integration.parts import TOUCHLINE

FOLDER = Path(__file__).parents[2] / "deploy" / "compose"
HEALTH = FOLDER.parent / "container" / "health.py"
_YAML = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))"
_VARIABLE = re.compile(r"\$\{(\w+)(?::-([^}]*))?\}")
READY_SECONDS = 300.0


def yaml_of(text: str) -> Any:
    """What a YAML text says."""
    python = python_clients("deploy.txt") / "bin" / "python"
    done = subprocess.run([python, "-c", _YAML], input=text, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def compose_file(environ: Mapping[str, str] = MappingProxyType({})) -> dict[str, Any]:
    """The Compose file, its variables replaced as Compose does it."""
    text = (FOLDER / "compose.yaml").read_text()
    found = yaml_of(_VARIABLE.sub(lambda match: environ.get(match[1], match[2] or ""), text))
    assert isinstance(found, dict)
    return found


def ours(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The services that run Touchline's image."""
    return {
        name: service
        for name, service in described["services"].items()
        if service["image"].startswith("touchline:")
    }


def scraped() -> Iterator[tuple[str, str, int]]:
    """Job, name and port of each service that Prometheus asks."""
    for job in yaml_of((FOLDER / "prometheus.yml").read_text())["scrape_configs"]:
        for found in job["dns_sd_configs"]:
            for name in found["names"]:
                yield job["job_name"], name, found["port"]


class ComposedKafka(KafkaBroker):
    """Apache Kafka with the settings that the file gives its image."""

    def __init__(self, environment: Mapping[str, str], data_dir: Path, log_dir: Path) -> None:
        super().__init__(data_dir, log_dir)
        self.properties = properties_of(environment)

    def _prepare(self) -> list[str]:
        command = super()._prepare()  # it also formats the folder
        here = {
            "@kafka:9093": f"@127.0.0.1:{self._controller_port}",
            "//kafka:9092": f"//127.0.0.1:{self.port}",
            "//:9092": f"//127.0.0.1:{self.port}",
            "//:9093": f"//127.0.0.1:{self._controller_port}",
            "/var/lib/kafka/data": str(self.data_dir / "log"),
        }
        lines = [f"{name}={translated(value, here)}\n" for name, value in self.properties.items()]
        (self.data_dir / "server.properties").write_text("".join(lines))
        return command


def properties_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Kafka's properties by the image's rule: KAFKA_LOG_DIRS is log.dirs."""
    return {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in environment.items()
        if name.startswith("KAFKA_")
    }


def translated(text: str, table: Mapping[str, str]) -> str:
    """The text with each key of the table replaced."""
    for said, here in table.items():
        text = text.replace(said, here)
    return text


class Composed:
    """The running stack. `at` is a service's address; `secrets` the folder that `prepare` made."""

    def __init__(self, folder: Path) -> None:
        self.folder = shutil.copytree(FOLDER, folder / "compose", ignore=shutil.ignore_patterns("secrets"))
        subprocess.run([self.folder / "prepare"], check=True, capture_output=True)
        self.secrets = self.folder / "secrets"
        self.logs = folder / "logs"
        self.file = compose_file({"TOUCHLINE_PARTITIONS": "4"})
        self.services: dict[str, dict[str, Any]] = self.file["services"]
        self.at = {name: f"127.20.0.{number}" for number, name in enumerate(self.services, 2)}
        self.processes: dict[str, Process] = {}
        environment = self.services["kafka"]["environment"]
        self.kafka = ComposedKafka(environment, folder / "kafka", self.logs)
        self.clickhouse = ClickHouseServer(folder / "clickhouse", self.logs, users=self._users())
        self.here = {
            "kafka:9092": self.kafka.address,
            "@clickhouse:9000": f"@127.0.0.1:{self.clickhouse.port}",
            "//clickhouse:9000": f"//127.0.0.1:{self.clickhouse.port}",
            "http_port=8123": f"http_port={self.clickhouse.http_port}",
        }

    def secret(self, name: str) -> Path:
        """The file of a secret, as far as addresses go that of this machine."""
        path = self.folder / self.file["secrets"][name]["file"]
        here = path.with_name(f"{path.name}.here")
        here.write_text(translated(path.read_text(), self.here))
        return here

    def environment(self, service: str) -> dict[str, str]:
        """What the service's processes see. A secret that the service does not list is not there."""
        described = self.services[service]
        mounted = {name: str(self.secret(name)) for name in described.get("secrets", ())}

        def here(text: str) -> str:
            text = translated(text.replace("0.0.0.0", self._address(service)), self.here)
            return re.sub(r"/run/secrets/(\w+)", lambda match: mounted[match[1]], text)

        told = {name: here(str(value)) for name, value in described["environment"].items()}
        if "TOUCHLINE_SUBSCRIBER_TABLE" in told:
            told["TOUCHLINE_SUBSCRIBER_TABLE"] = str(self.folder / "states.db")
        return {"TOUCHLINE_SESSION_TIMEOUT": "6", **told}  # brokers refuse less; a test has no time for more

    def command(self, service: str, *arguments: str) -> list[str]:
        """The service's command, or that of `docker compose run` with other arguments."""
        said = [*arguments] or self.services[service]["command"]
        if service == "page":  # it shares the door's loopback, which here is the door's address
            said = [*said, "--host", self.at["door"]]
        return [*TOUCHLINE, *(self._address(service) if each == "0.0.0.0" else each for each in said)]

    def run(self, service: str, *arguments: str, text: str = "") -> str:
        """Run a command to its end, as `docker compose run --rm -T SERVICE ARGUMENTS` does; it must succeed."""
        done = subprocess.run(
            self.command(service, *arguments), env={**os.environ, **self.environment(service)}, input=text,
            capture_output=True, text=True, timeout=900, cwd=self.folder,
        )  # fmt: skip
        assert done.returncode == 0, f"{service} {arguments}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
        return done.stdout

    def start(self, service: str) -> None:
        """Start as many processes of a service as the file says."""
        replicas = self.services[service].get("deploy", {}).get("replicas", 1)
        for number in range(1, replicas + 1):
            name = service if replicas == 1 else f"{service}-{number}"
            self.at.setdefault(name, f"127.20.{number}.{len(self.at)}")
            env = self.environment(service)
            if "TOUCHLINE_METRICS_HOST" in env:
                env["TOUCHLINE_METRICS_HOST"] = self.at["door" if service == "page" else name]
            process = Process(name, self.command(service), self.logs / f"{name}.log", env)
            self.processes[name] = process
            process.start()

    def start_program(self, name: str, command: list[str]) -> None:
        """Start something that is not Touchline's."""
        self.processes[name] = Process(name, command, self.logs / f"{name}.log")
        self.processes[name].start()

    def healthy(self, name: str) -> bool:
        """What the image's health check says of a process."""
        env = {key: value for key, value in self.processes[name].env.items() if "METRICS" in key}
        return subprocess.run([sys.executable, HEALTH], env=env, capture_output=True).returncode == 0

    def wait_healthy(self, services: Collection[str]) -> None:
        """Wait until each process of these services is healthy."""
        waiting = {name for name in self.processes if name.split("-")[0] in services}
        assert waiting
        deadline = time.monotonic() + READY_SECONDS
        while waiting:
            waiting = {name for name in waiting if not self.healthy(name)}
            for name in waiting:
                process = self.processes[name]
                assert process.alive, f"{name} {process.ending()}; {process.log_ending()}"
                assert time.monotonic() < deadline, f"{name} is not healthy; {process.log_ending()}"
            time.sleep(0.5)

    def _address(self, service: str) -> str:
        return self.at["door" if self.services[service].get("network_mode") == "service:door" else service]

    def _users(self) -> str:
        """The file's own user and the analyst, whom `touchline migrate` makes where ClickHouse makes users by SQL."""
        text = (self.secrets / "clickhouse-user.xml").read_text()
        (own,) = re.findall(r"<touchline>.*?</touchline>", text, re.DOTALL)
        analyst = Analyst("analyst", (self.secrets / "analyst.password").read_text().strip())
        made = users_xml([analyst], "touchline", Readable(), with_default=True)
        own = own.replace("<access_management>1</access_management>", "")  # this engine makes no users
        return made.replace("</users>", f"{own}</users>")


@contextmanager
def composed(folder: Path) -> Iterator[Composed]:
    """Kafka and ClickHouse run; everything else is started by the test, and ended here."""
    stack = Composed(folder)
    with ExitStack() as ends:
        for server in (stack.kafka, stack.clickhouse):
            server.start()
            ends.callback(server.stop)
        try:
            yield stack
        finally:
            for process in reversed(stack.processes.values()):
                process.stop(timeout=10)
