"""`touchline up` as a user meets it: it starts, says what is wrong, and leaves no process behind."""

import json
import os
import shlex
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.kafka_admin.status import snapshot
from deploy.ports import free_port
from deploy.sandbox import kafka_jars
from deploy.sandbox.lock import locked
from schemas.settings import Settings
from schemas.topics import ALL
from tests.integration.parts import TOUCHLINE
from tests.integration.processes import children_of, wait_gone, wait_until

pytestmark = pytest.mark.sandbox

FREE_PORTS = [
    "--kafka-port", "0", "--clickhouse-port", "0", "--clickhouse-http-port", "0", "--no-page", "--no-serve",
]  # fmt: skip


class Up:
    """A running `touchline up` whose output goes to files."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.out, self.err = folder / "out", folder / "err"
        self.folder = folder
        with self.out.open("w") as out, self.err.open("w") as err:
            self.process = subprocess.Popen(
                [*TOUCHLINE, "up", *FREE_PORTS, *arguments],
                stdout=out, stderr=err, env={**os.environ, "TMPDIR": str(folder)},
            )  # fmt: skip

    def wait_ready(self) -> None:
        wait_until(lambda: "ready after" in self.err.read_text() or self.process.poll() is not None)
        assert self.process.poll() is None, self.err.read_text()

    def settings(self) -> Settings:
        line = next(line for line in self.err.read_text().splitlines() if "source " in line)
        text = Path(line.split("source ")[1]).read_text()
        exports = (shlex.split(export)[1].partition("=") for export in text.splitlines())
        return Settings.from_env({name: value for name, _, value in exports})

    def children(self) -> dict[int, str]:
        return children_of(self.process.pid)


@contextmanager
def up(folder: Path, *arguments: str) -> Iterator[Up]:
    running = Up(folder, *arguments)
    try:
        running.wait_ready()
        yield running
    finally:
        running.process.kill()
        running.process.wait()


def answers(address: str) -> bool:
    """Whether a server gives its page."""
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def refused(*arguments: str, env: Mapping[str, str] | None = None) -> str:
    """Standard error of an `up` that must fail."""
    command = [*TOUCHLINE, "up", *arguments]
    done = subprocess.run(command, env={**os.environ, **(env or {})}, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    return done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_in_order_and_nothing_is_left(
    tmp_path: Path, number: signal.Signals
) -> None:
    with up(tmp_path, "--page", "--page-port", "0", "--serve", "--serve-port", "0") as running:
        pids = list(running.children())
        assert len(pids) == 6
        page = next(line for line in running.err.read_text().splitlines() if line.startswith("page: "))
        wait_until(lambda: answers(f"{page.split()[1]}health"))
        serve = next(
            line for line in running.err.read_text().splitlines() if line.startswith("subscribers: ")
        )
        wait_until(lambda: answers(f"{serve.split()[1].removesuffix('v1/')}readyz"))
        settings = running.settings()
        assert snapshot(settings).problems == []
        running.process.send_signal(number)
        assert running.process.wait(60) == 0
        wait_gone(pids)
        said = running.err.read_text()
        order = [
            said.index(f"stopping {name}")
            for name in ("serve", "page", "loader", "worker-1", "clickhouse", "tansu")
        ]
        assert order == sorted(order)
        assert not list(tmp_path.glob("touchline-*"))


def test_kill_9_of_up_leaves_no_process(tmp_path: Path) -> None:
    with up(tmp_path, "--workers", "2") as running:
        pids = list(running.children())
        assert len(pids) == 5
        running.process.kill()
        running.process.wait()
        wait_gone(pids)


def test_a_dead_worker_is_started_again(tmp_path: Path) -> None:
    with up(tmp_path) as running:
        worker = next(
            pid for pid, command in running.children().items() if command.rstrip().endswith("worker")
        )
        os.kill(worker, signal.SIGKILL)
        wait_until(
            lambda: "worker-1 was ended by signal SIGKILL, starts again in 1 s" in running.err.read_text()
        )
        wait_until(
            lambda: any(
                pid != worker and command.rstrip().endswith("worker")
                for pid, command in running.children().items()
            )
        )


@pytest.mark.parametrize("part", ["tansu", "libchdb_server"])
def test_a_dead_broker_or_clickhouse_stops_everything(tmp_path: Path, part: str) -> None:
    with up(tmp_path) as running:
        children = running.children()
        os.kill(next(pid for pid, command in children.items() if part in command), signal.SIGKILL)
        assert running.process.wait(60) == 1
        wait_gone(children)
        assert "was ended by signal SIGKILL, so everything stops; its log" in running.err.read_text()
        assert list(tmp_path.glob("touchline-*/logs/*.log"))


@pytest.mark.kafka
def test_data_keeps_kafka_clickhouse_and_the_key_between_runs(tmp_path: Path) -> None:
    if kafka_jars.missing_programs():
        pytest.skip("Apache Kafka needs java and mvn on PATH")
    data = tmp_path / "data"
    keys = []
    for said in ((f"{len(ALL)} created", "migrations applied"), ("all there", "up to date")):
        with up(tmp_path, "--broker", "kafka", "--data", str(data), "--workers", "0") as running:
            assert all(words in running.err.read_text() for words in said)
            settings = running.settings()
            keys.append(settings.pseudonym_secret())
            assert (data / "pseudonym.key").stat().st_mode & 0o777 == 0o600
            assert (data / "env").stat().st_mode & 0o777 == 0o600
            pids = list(running.children())
            running.process.send_signal(signal.SIGINT)
            assert running.process.wait(60) == 0
            wait_gone(pids)
    assert keys[0] == keys[1]


def test_json_is_one_object_a_look(tmp_path: Path) -> None:
    with up(tmp_path, "--json", "--workers", "0") as running:
        wait_until(lambda: running.out.read_text().count("\n") >= 1)
        assert json.loads(running.out.read_text().splitlines()[0])["published"] == 0


def test_a_taken_port_is_named_with_its_option() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = refused("--kafka-port", str(port))
        assert f"port {port} for the broker is taken: stop what listens there" in said
        assert "choose another with --kafka-port" in said
        said = refused("--kafka-port", "0", "--clickhouse-port", str(port))
        assert f"port {port} for ClickHouse is taken" in said
        assert "--clickhouse-port" in said


def test_data_needs_a_broker_that_keeps_it(tmp_path: Path) -> None:
    assert "use --broker kafka with --data" in refused("--data", str(tmp_path / "data"))
    assert not (tmp_path / "data").exists()


def test_a_missing_engine_says_what_to_run() -> None:
    said = refused(*FREE_PORTS, env={"TOUCHLINE_LIBCHDB": "/nowhere/libchdb.so"})
    assert "TOUCHLINE_LIBCHDB names /nowhere/libchdb.so, which does not exist" in said


def test_missing_java_says_what_to_install(tmp_path: Path) -> None:
    said = refused("--broker", "kafka", *FREE_PORTS, env={"PATH": str(tmp_path)})
    assert "Apache Kafka needs java and mvn on PATH: install Java 17 and Maven" in said


def test_a_broker_that_does_not_answer_is_named() -> None:
    port = free_port()
    assert f"no Kafka broker answers at 127.0.0.1:{port}" in refused("--broker", f"127.0.0.1:{port}")
    assert "must read host:port" in refused("--broker", "nonsense")


def test_a_wrong_clickhouse_url_is_refused_before_anything_starts() -> None:
    assert "must read clickhouse://" in refused("--clickhouse", "http://127.0.0.1:8123")


def test_a_folder_that_another_up_uses_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with locked(data):
        said = refused("--broker", "kafka", "--data", str(data), *FREE_PORTS)
    assert said == (
        f"touchline: {data} is in use by another `touchline up`, process {os.getpid()}:"
        " stop that one, or name another --data\n"
    )
    assert [path.name for path in data.iterdir()] == ["lock"], "the second one touched nothing"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    said = refused("--broker", "kafka", "--data", str(tmp_path / "file"))
    assert said == f"touchline: {tmp_path / 'file'} cannot be used for data: File exists\n"


def test_a_shell_that_sources_the_env_file_finds_touchline(tmp_path: Path) -> None:
    with up(tmp_path, "--workers", "0") as running:
        line = next(line for line in running.err.read_text().splitlines() if "source " in line)
        script = f"source {line.split('source ')[1]}; cd /; touchline --version && touchline status --json"
        env = {name: value for name, value in os.environ.items() if not name.startswith("TOUCHLINE_")}
        done = subprocess.run(
            ["bash", "-c", script], env={**env, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("touchline ")
