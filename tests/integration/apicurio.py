"""Apicurio Registry, a schema registry that nobody here wrote, in its Confluent-compatible mode."""

import os
import subprocess
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.ports import free_port
from deploy.sandbox import kafka_jars
from deploy.sandbox.server import Server

#: The newest that Java 17 runs.
VERSION = "3.0.9"
ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:tar.gz:all"
#: Later versions of the plugin want the artifact's parent, too, which Maven Central does not have for this version.
COPY = "org.apache.maven.plugins:maven-dependency-plugin:2.10:copy"
FETCH_SECONDS = 600


class Apicurio(Server):
    """Keeps everything in memory."""

    name = "apicurio"

    def __init__(self, log_dir: Path) -> None:
        super().__init__(log_dir)
        self.port = free_port()

    @property
    def url(self) -> str:
        """For TOUCHLINE_REGISTRY_URL and for clients."""
        return f"http://127.0.0.1:{self.port}/apis/ccompat/v7"

    def _ports(self) -> Iterator[tuple[int, str, str]]:
        yield self.port, "the registry", "--port"

    def _prepare(self) -> list[str]:
        jar = fetch() / f"apicurio-registry-app-{VERSION}-runner.jar"
        return [
            "java", "-XX:TieredStopAtLevel=1", "-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={self.port}",
            "-jar", str(jar),
        ]  # fmt: skip

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/subjects", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def fetch() -> Path:
    """The unpacked distribution, fetched by Maven the first time; the test is skipped if it cannot be had."""
    if kafka_jars.missing_programs():
        pytest.skip("Apicurio needs java and mvn on PATH")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "touchline"
    target = cache / f"apicurio-{VERSION}"
    if not target.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as name:
            folder = Path(name)
            done = subprocess.run(
                ["mvn", "-q", "-B", COPY, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={folder}"],
                capture_output=True, text=True, timeout=FETCH_SECONDS, cwd=folder,
            )  # fmt: skip
            if done.returncode:
                pytest.skip(f"Apicurio Registry cannot be had here: {done.stdout.strip()[-300:]}")
            (archive,) = folder.glob("*.tar.gz")
            with tarfile.open(archive) as packed:
                packed.extractall(folder / "unpacked", filter="data")
            (folder / "unpacked").rename(target)
    return target
