"""The SDK as a source has it: installed alone, in web servers that fork, with brokers and processes that are killed."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.ports import free_port, listens
from deploy.sandbox import ClickHouseServer, KafkaBroker
from tests.integration.collecting import python_clients
from tests.integration.parts import Deployment, deployment
from tests.integration.test_publish import consumed

pytestmark = [pytest.mark.sandbox, pytest.mark.kafka, pytest.mark.clients]

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(
    r"^```python\n(.*?)^```", (ROOT / "docs" / "sdk.md").read_text(), re.DOTALL | re.MULTILINE
)
FIRST_EVENT = BLOCKS[0]
APPS = {
    name: next(block for block in BLOCKS if block.startswith(f"# {name}"))
    for name in ("Flask", "Django", "FastAPI")
}

#: Server → the framework, and the command that serves the module `shop` on a port.
SERVERS: dict[str, tuple[str, Callable[[int], list[str]]]] = {
    "gunicorn-preload": (
        "Flask",
        lambda port: ["gunicorn", "--preload", "-w", "2", "--threads", "4", "-b", f"127.0.0.1:{port}", "shop:app"],
    ),
    "uwsgi": (
        "Flask",
        lambda port: [
            "uwsgi", "--master", "--processes", "2", "--threads", "2", "--enable-threads", "--die-on-term",
            "--http-socket", f"127.0.0.1:{port}", "--module", "shop:app",
        ],
    ),
    "gunicorn-django": (
        "Django", lambda port: ["gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", "site_wsgi:application"],
    ),
    "uvicorn": ("FastAPI", lambda port: ["uvicorn", "--workers", "2", "--port", str(port), "shop:app"]),
}  # fmt: skip
DJANGO = """
from django.conf import settings
settings.configure(ROOT_URLCONF="shop", ALLOWED_HOSTS=["*"], SECRET_KEY="x", MIDDLEWARE=[])
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
"""
VISITORS = 4


@pytest.fixture(scope="module")
def environment() -> Path:
    """Web frameworks, and the SDK of this working tree."""
    target = python_clients("sdk.txt")
    pip = [str(target / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--force-reinstall", str(ROOT / "deploy" / "sdk")], check=True, timeout=300)
    return target / "bin"


@pytest.fixture(scope="module")
def live(
    own_kafka: KafkaBroker, clickhouse: ClickHouseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    with deployment(own_kafka, clickhouse, log_dir=tmp_path_factory.mktemp("logs")) as running:
        running.wait_idle()
        yield running


def bare(live: Deployment, **more: str) -> dict[str, str]:
    """The environment of a source: nothing of this project but its settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | live.settings.to_env() | more


def arrived(live: Deployment, source: str) -> list[tuple[str, str]]:
    return live.query(
        f"SELECT event_id, profile_id FROM touchpoints_current WHERE source = '{source}' ORDER BY event_id"
    )


def test_the_first_event_in_an_empty_environment_is_a_row_with_its_person(
    live: Deployment, tmp_path: Path
) -> None:
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    bin_ = tmp_path / "venv" / "bin"
    pip = [str(bin_ / "pip"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "-q", str(ROOT / "deploy" / "sdk")], check=True, timeout=300)
    installed = time.monotonic()
    listed = subprocess.run(
        [*pip, "list", "--format=freeze"], check=True, capture_output=True, text=True
    ).stdout
    assert {line.split("==")[0] for line in listed.split()} == {
        "fastavro", "idna", "kafka-python", "phonenumbers", "pip", "setuptools", "touchline-sdk",
    }  # fmt: skip
    assert len([line for line in FIRST_EVENT.splitlines() if line]) <= 6
    (tmp_path / "first.py").write_text(FIRST_EVENT)
    started = time.monotonic()
    subprocess.run([str(bin_ / "python"), "first.py"], check=True, cwd=tmp_path, env=bare(live), timeout=60)
    while not arrived(live, "web-shop"):
        assert time.monotonic() - started < 60
        time.sleep(0.05)
    ended = time.monotonic()
    sys.stdout.write(
        f"installed after {installed - began:.1f} s, a row {ended - started:.1f} s after the start\n"
    )
    live.wait_idle()
    ((event_id, profile),) = arrived(live, "web-shop")
    assert event_id == "web-1"
    identifiers = live.query(
        f"SELECT identifier_type, identifier_value FROM identity_current WHERE profile_id = '{profile}' ORDER BY ALL"
    )
    assert [kind for kind, _ in identifiers] == ["cookie", "email"]
    assert "ann@example.com" not in str(identifiers)


@contextmanager
def served(
    environment: Path, live: Deployment, name: str, folder: Path, spool: Path
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    framework, command = SERVERS[name]
    source = f"shop-{name}"
    folder.mkdir(exist_ok=True)
    (folder / "shop.py").write_text(APPS[framework].replace('"web-shop"', f'"{source}"'))
    (folder / "site_wsgi.py").write_text(DJANGO)
    program, *arguments = command(port := free_port())
    env = bare(live, SPOOL=str(spool), PYTHONPATH=str(folder))
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            [str(environment / program), *arguments],
            cwd=folder,
            env=env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + 60
        while not listens("127.0.0.1", port):
            assert process.poll() is None, (folder / "log").read_text()[-3000:]
            assert time.monotonic() < deadline
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/cart", process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def post(url: str, number: int) -> bool:
    """Add to a cart; whether the page answered."""
    headers = {"Cookie": f"visitor=v{number % VISITORS}", "Idempotency-Key": f"{number:04}"}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, b"", headers, method="POST"), timeout=10
        ) as answer:
            return bool(answer.status == 204)
    except OSError:
        return False


@pytest.mark.parametrize("name", SERVERS)
def test_the_example_of_a_framework_runs_in_a_server_that_forks(
    environment: Path, live: Deployment, tmp_path: Path, name: str
) -> None:
    spool = tmp_path / "spool"
    with served(environment, live, name, tmp_path / "app", spool) as (url, _), ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda number: post(url, number), range(80)))
        assert all(pool.map(lambda number: post(url, number), range(80))), "a page that is sent again"
        deadline = time.monotonic() + 30
        while (
            len(arrived(live, f"shop-{name}")) < 80
        ):  # while the server runs: uWSGI may end without exit handlers
            assert time.monotonic() < deadline, arrived(live, f"shop-{name}")
            time.sleep(0.1)
    log = (tmp_path / "app" / "log").read_text()
    live.wait_idle()
    rows = arrived(live, f"shop-{name}")
    assert [event_id for event_id, _ in rows] == [f"{number:04}" for number in range(80)], log[-3000:]
    for number in range(VISITORS):
        assert len({profile for event_id, profile in rows if int(event_id) % VISITORS == number}) == 1
    if name != "uwsgi":
        assert list(spool.rglob("*.log")) == [], log[-3000:]
    assert "Traceback" not in log, log[-3000:]


def test_servers_that_are_killed_while_kafka_is_away_lose_nothing_that_a_page_answered(
    environment: Path, live: Deployment, own_kafka: KafkaBroker, tmp_path: Path
) -> None:
    name, spool = "gunicorn-preload", tmp_path / "spool"
    before = {event_id for event_id, _ in arrived(live, f"shop-{name}")}
    answered: set[int] = set()
    live.forget_broker()
    own_kafka.kill()
    for first in (1000, 1100):
        with served(environment, live, name, tmp_path / "app", spool) as (url, process):
            answered |= {number for number in range(first, first + 100) if post(url, number)}
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert len(answered) == 200
    assert list(spool.rglob("*.log")) != []
    own_kafka.start()
    live.start_what_died()
    with served(environment, live, name, tmp_path / "app", spool) as (url, _):
        assert post(url, 1200)
        deadline = time.monotonic() + 60
        while list(spool.rglob("refused/*")) == [] and len(list(spool.rglob("*.log"))) > 2:
            assert time.monotonic() < deadline
            time.sleep(0.2)
    live.wait_idle(240)
    rows = [event_id for event_id, _ in arrived(live, f"shop-{name}") if event_id not in before]
    assert rows == [f"{number:04}" for number in range(1000, 1201)]
    assert list(spool.rglob("*.log")) == []


#: Publishes COUNT touchpoints and says how many were accepted; begins where the last run ended.
MANY = """
import sys
from touchline import Publisher
count, spool, done = int(sys.argv[1]), sys.argv[2], open(sys.argv[3], "a+")
done.seek(0)
first = len(done.read())
import time
with Publisher(spool=spool) as publisher:
    for number in range(first, count):
        publisher.publish({"event_id": f"{number:05}", "occurred_at": 1767225600000 + number, "source": "many-sdk",
            "channel": "web", "type": "page_view", "identifiers": {"cookie": f"c{number % 7}"}})
        done.write("x")
        done.flush()
        time.sleep(0.004)
    while publisher.pending:
        time.sleep(0.1)
"""


def test_a_broker_and_a_program_that_are_killed_again_and_again_lose_and_double_nothing(
    environment: Path, live: Deployment, own_kafka: KafkaBroker, tmp_path: Path
) -> None:
    command = [
        str(environment / "python"),
        "-c",
        MANY,
        "2000",
        str(tmp_path / "spool"),
        str(tmp_path / "done"),
    ]
    kills = 0
    while True:
        process = subprocess.Popen(command, cwd=tmp_path, env=bare(live))
        try:
            process.wait(2.5 if kills < 3 else 120)
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
            if kills == 2:
                live.forget_broker()
                own_kafka.kill()
                own_kafka.start()
    assert process.returncode == 0
    assert kills == 3
    live.start_what_died()
    live.wait_idle(240)
    rows = arrived(live, "many-sdk")
    assert [event_id for event_id, _ in rows] == [f"{number:05}" for number in range(2000)]
    assert len({profile for _, profile in rows}) == 7
    assert list((tmp_path / "spool").rglob("*.log")) == []
    ours = [
        (key, one["event_id"]) for _, key, one in consumed(live.settings, 2000) if one["source"] == "many-sdk"
    ]
    for key in {key for key, _ in ours}:
        first_copies = list(dict.fromkeys(event_id for one, event_id in ours if one == key))
        assert first_copies == sorted(first_copies), "not in the order of acceptance"


#: Forks children while threads publish; each child publishes one touchpoint and waits for it.
FORKS = """
import os, threading
from touchline import Publisher
publisher = Publisher(spool=os.environ["SPOOL"])

def publish(event_id):
    publisher.publish({"event_id": event_id, "occurred_at": 1767225600000, "source": "forks", "channel": "web",
        "type": "page_view", "identifiers": {"cookie": "forks"}})

def publish_many(thread):
    for number in range(400):
        publish(f"parent-{thread}-{number:03}")

threads = [threading.Thread(target=publish_many, args=(number,)) for number in range(3)]
for thread in threads:
    thread.start()
children = []
for number in range(6):
    child = os.fork()
    if child == 0:
        publish(f"child-{number:02}")
        publisher.flush(60)
        publisher.close()
        os._exit(0)
    children.append(child)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
for thread in threads:
    thread.join()
publisher.close(60)
"""


def test_a_process_may_fork_while_its_threads_publish(
    environment: Path, live: Deployment, tmp_path: Path
) -> None:
    env = bare(live, SPOOL=str(tmp_path / "spool"))
    subprocess.run([str(environment / "python"), "-c", FORKS], check=True, cwd=tmp_path, env=env, timeout=180)
    live.wait_idle()
    rows = [event_id for event_id, _ in arrived(live, "forks")]
    assert len([one for one in rows if one.startswith("parent")]) == 1200
    assert [one for one in rows if one.startswith("child")] == [f"child-{number:02}" for number in range(6)]
    assert list((tmp_path / "spool").rglob("*.log")) == []
