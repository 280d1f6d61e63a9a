"""A collector as a process of its own, and clients that nobody here wrote, each in its own environment."""

import hashlib
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.ports import free_port
from deploy.sandbox import Process, kafka_jars
from schemas.http.hashed_keys import hash_of
from tests.integration.parts import TOUCHLINE, Deployment

CLIENTS = Path(__file__).parents[1] / "clients"
FETCH_SECONDS = 600
#: It needs two; more where many others want the same cores.
READY_SECONDS = 180


class Collector:
    """`touchline collect` on a port that it keeps when it is started again; one write key a source, key-SOURCE."""

    def __init__(self, live: Deployment, folder: Path, sources: tuple[str, ...], *options: str) -> None:
        keys = folder / "keys.toml"
        keys.write_text("".join(f'[keys.{one}]\nsha256 = "{hash_of(f"key-{one}")}"\n' for one in sources))
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        settings = replace(live.settings, collector_keys=str(keys))
        command = [*TOUCHLINE, "collect", "--port", str(port), *options]
        self.process = Process("collector", command, folder / "collector.log", settings.to_env())

    def start(self) -> None:
        """Start, and wait until it is ready."""
        self.process.start()
        deadline = time.monotonic() + READY_SECONDS
        while not self.is_ready():
            assert self.process.alive, self.process.log_tail(20)
            assert time.monotonic() < deadline, f"not ready in {READY_SECONDS} s\n{self.process.log_tail(20)}"
            time.sleep(0.05)

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def client(self, source: str, *arguments: str) -> "subprocess.Popen[str]":
        """Start the client of a source: `segment-python` is clients/segment_python.py, .mjs or .sh."""
        stem = CLIENTS / source.replace("-", "_")
        if stem.with_suffix(".mjs").exists():
            command = ["node", str(node_clients() / stem.with_suffix(".mjs").name)]
        elif stem.with_suffix(".sh").exists():
            command = ["bash", str(stem.with_suffix(".sh"))]
        else:
            command = [str(python_clients() / "bin" / "python"), str(stem.with_suffix(".py"))]
        env = {**os.environ, "COLLECTOR": self.url, "WRITE_KEY": f"key-{source}"}
        env.pop("PYTHONPATH", None)
        return subprocess.Popen(
            [*command, *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def run_client(self, source: str, *arguments: str, timeout: float = 120) -> None:
        """Run a client to its end; it must succeed."""
        wait_for(self.client(source, *arguments), timeout)


def wait_for(client: "subprocess.Popen[str]", timeout: float = 120) -> None:
    """Wait for a client's end; fail with what it printed unless it succeeds."""
    try:
        output, _ = client.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        client.kill()
        output, _ = client.communicate()
        pytest.fail(f"the client did not end in {timeout} s\n{output[-3000:]}")
    assert client.returncode == 0, output[-3000:]


@contextmanager
def collector(live: Deployment, folder: Path, *sources: str) -> Iterator[Collector]:
    """A collector that is ready."""
    running = Collector(live, folder, sources)
    running.start()
    try:
        yield running
    finally:
        running.process.stop()


def python_clients(requirements: str = "requirements.txt") -> Path:
    """The environment of some Python clients, made the first time; the test is skipped if it cannot be had."""
    target = cache_folder("python", Path(requirements))
    if not (target / "complete").exists():
        install([sys.executable, "-m", "venv", "--clear", str(target)])
        pip = [str(target / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        install([*pip, "-r", str(CLIENTS / requirements)])
        (target / "complete").touch()
    return target


def node_clients() -> Path:
    """The folder of the Node clients, with their packages, made the first time; or the test is skipped."""
    if shutil.which("npm") is None:
        pytest.skip("the Node clients need npm on PATH")
    target = cache_folder("node", Path("package.json"))
    target.mkdir(parents=True, exist_ok=True)
    if not (target / "complete").exists():
        shutil.copy(CLIENTS / "package.json", target)
        npm = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
        install([*npm, "--loglevel=error", "--prefix", str(target)])
        (target / "complete").touch()
    for script in CLIENTS.glob("*.*js"):
        shutil.copy(script, target)
    return target


def java_client(name: str) -> Path:
    """The folder of a Java client that Maven has built, made the first time; or the test is skipped."""
    if kafka_jars.missing_programs():
        pytest.skip("the Java clients need java and mvn on PATH")
    files = sorted(path.relative_to(CLIENTS) for path in (CLIENTS / name).rglob("*") if path.is_file())
    target = cache_folder(name, *files)
    if not (target / "complete").exists():
        shutil.copytree(CLIENTS / name, target, dirs_exist_ok=True)
        install(["mvn", "-q", "-B", "-f", str(target / "pom.xml"), "package"])
        (target / "complete").touch()
    return target


def cache_folder(kind: str, *files: Path) -> Path:
    """Where what is made of these files of tests/clients is kept: other content gets another folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    mark = hashlib.sha256(b"".join((CLIENTS / file).read_bytes() for file in files)).hexdigest()[:12]
    return cache / "touchline" / f"clients-{kind}-{mark}"


def install(command: list[str]) -> None:
    result = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS)
    if result.returncode:
        pytest.skip(f"the clients cannot be installed here: {result.stderr.strip()[-300:]}")
