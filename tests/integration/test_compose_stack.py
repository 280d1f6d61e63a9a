"""deploy/compose: its services, as processes of this machine, do the demo's work and admit the right people."""

import base64
import http.client
import json
import re
import shutil
import time
import urllib.request
from pathlib import Path

import pytest

from deploy.sandbox import kafka_jars
from deploy.screens.demo import views
from schemas.settings import Settings
from sinks.clickhouse.connection import connect
from tests.integration.composing import FOLDER, Composed, composed, scraped
from tests.integration.parts import reconcile
from tests.integration.processes import wait_until

pytestmark = [pytest.mark.sandbox, pytest.mark.kafka, pytest.mark.clients]

ROOT = FOLDER.parents[1]
#: The README's sentence about `make demo`.
DEMO = re.compile(
    r"^([\d,]+) distinct touchpoints became ([\d,]+) journeys: ([\d,]+) orders, ([\d,]+) of ([\d,]+) carts abandoned",
    re.MULTILINE,
)
LONG_RUNNING = ("worker", "loader", "collector", "serve", "page")


def test_the_services_as_processes_pass_the_demo(tmp_path: Path) -> None:
    """All that the file starts but Grafana: two workers, loader, collector, serve, page, door, Prometheus."""
    if missing := [program for program in ("nginx", "prometheus") if shutil.which(program) is None]:
        pytest.skip(f"{' and '.join(missing)} not on PATH: apt-get install nginx-light prometheus")
    if kafka_jars.missing_programs():
        pytest.skip("Apache Kafka needs java and mvn on PATH")
    with composed(tmp_path) as stack:
        stack.run("topics", *stack.services["topics"]["command"])
        stack.run("migrate", *stack.services["migrate"]["command"])
        for service in LONG_RUNNING:
            stack.start(service)
        start_door(stack)
        stack.wait_healthy(LONG_RUNNING)

        events = stack.run("tools", "simulate", "--people", "800", "--events", "20000", "--seed", "7")
        stack.run("tools", "publish", "-", text=events)
        wait_until(lambda: nothing_is_left(stack), seconds=600)
        stack.run("tools", "status", "--check")
        assert demo_figures(stack) == [
            int(each.replace(",", ""))
            for each in DEMO.search((ROOT / "README.md").read_text()).groups()  # type: ignore[union-attr]
        ]
        take_an_event_and_serve_its_person(stack)
        knock(stack)
        every_process_is_measured(stack, tmp_path)
        for name in [name for name in stack.processes if name not in ("door", "prometheus")]:
            seconds = int(stack.services[name.split("-")[0]]["stop_grace_period"].removesuffix("s"))
            assert stack.processes[name].stop(timeout=seconds) == 0, stack.processes[name].log_ending()


def nothing_is_left(stack: Composed) -> bool:
    """Whether every group has read everything, twice: what one does makes work for another."""
    for _ in range(2):
        lags = json.loads(stack.run("tools", "status", "--json"))["lag"]
        if not lags or any(lag for topics in lags.values() for lag in topics.values()):
            return False
    return True


def demo_figures(stack: Composed) -> list[int]:
    """What the README's sentence about the demo says, of this stack."""
    settings = Settings.from_env(stack.environment("loader"))
    reconcile(settings)
    client = connect(settings.clickhouse())
    try:
        found = views.figures(client.execute)
    finally:
        client.disconnect()
    return [found.touchpoints, found.profiles, found.orders, found.abandoned, found.carts]


def take_an_event_and_serve_its_person(stack: Composed) -> None:
    key = (stack.secrets / "collector.key").read_text().strip()
    event = {
        "event_id": "over-http", "occurred_at": "2026-01-01T12:00:00Z", "channel": "web", "type": "add_to_cart",
        "identifiers": {"cookie": ["ck-http"], "email": "ann@example.com"},
    }  # fmt: skip
    request = urllib.request.Request(
        f"http://{stack.at['collector']}:8480/v1/touchpoints", json.dumps(event).encode(),
        {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.status == 200
    reader = (stack.secrets / "subscriber.key").read_text().strip()
    look = urllib.request.Request(
        f"http://{stack.at['serve']}:8490/v1/profiles/email/ann@example.com?wait=over-http&within=10",
        headers={"Authorization": f"Bearer {reader}"},
    )
    wait_until(lambda: answers(look))


def answers(request: urllib.request.Request) -> bool:
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def start_door(stack: Composed) -> None:
    """nginx with the file's configuration, at the door's address; it runs as whoever runs the test."""
    at, conf = stack.at["door"], stack.folder / "door.here.conf"
    scratch = stack.folder / "tmp"
    scratch.mkdir()
    here = {
        "/tmp/": f"{scratch}/",
        "listen 8080": f"listen {at}:8080",
        "127.0.0.1:8470": f"{at}:8470",
        "/run/secrets/page_users": str(stack.secret("page_users")),
    }
    said = (stack.folder / "door.conf").read_text()
    # all at once: the places of this machine are below /tmp, too
    text = re.sub("|".join(map(re.escape, here)), lambda match: here[match[0]], said)
    conf.write_text("daemon off;\nuser root;\n" + text)
    stack.start_program("door", ["nginx", "-c", str(conf)])


def knock(stack: Composed) -> None:
    """The page answers whom the door knows, as the tenant that the door says, and nobody else."""

    def get(path: str, password: str | None = None, **headers: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(stack.at["door"], 8080, timeout=20)
        if password is not None:
            headers["Authorization"] = "Basic " + base64.b64encode(f"admin:{password}".encode()).decode()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        found = answer.status, answer.read().decode()
        connection.close()
        return found

    password = (stack.secrets / "page.password").read_text().strip()
    assert get("/t/default/")[0] == 401
    assert get("/t/default/", "guessed")[0] == 401
    assert get("/t/default/", None, **{"X-Forwarded-User": "admin", "X-Tenants": "default"})[0] == 401
    status, text = get("/t/default/?range=all", password)
    assert status == 200
    assert "<title>" in text
    assert get("/t/other/", password, **{"X-Tenants": "other"})[0] == 403
    # whoever reaches the page itself without the door's headers gets nothing
    direct = http.client.HTTPConnection(stack.at["door"], 8470, timeout=20)
    direct.request("GET", "/t/default/")
    assert direct.getresponse().status == 401
    direct.close()


def addresses_of(stack: Composed, service: str) -> list[str]:
    """What the service's name is resolved to: an address for each of its processes."""
    return [stack.at[name] for name in stack.processes if name.split("-")[0] == service]


def every_process_is_measured(stack: Composed, folder: Path) -> None:
    """The file's Prometheus, with the addresses that the names have here, reads each process."""
    jobs = [
        {
            "job_name": f"{job}-{service}",
            "static_configs": [{"targets": [f"{at}:{port}" for at in addresses_of(stack, service)]}],
        }
        for job, service, port in scraped()
        if addresses_of(stack, service)  # webhooks run only if their profile is asked for
    ]
    config = folder / "prometheus.json"
    config.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": jobs}))
    url = f"http://{stack.at['prometheus']}:9090"
    stack.start_program(
        "prometheus",
        ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}",
         f"--web.listen-address={stack.at['prometheus']}:9090"],
    )  # fmt: skip
    targets = sum(len(job["static_configs"][0]["targets"]) for job in jobs)  # type: ignore[index,misc]
    assert targets == sum(name.split("-")[0] in LONG_RUNNING for name in stack.processes)

    def up() -> int:
        try:
            with urllib.request.urlopen(f"{url}/api/v1/query?query=sum(up)", timeout=5) as answer:
                found = json.load(answer)["data"]["result"]
        except OSError:
            return 0
        return int(found[0]["value"][1]) if found else 0

    deadline = time.monotonic() + 30
    while up() < targets:
        assert time.monotonic() < deadline, f"Prometheus reads {up()} of {targets} processes"
        time.sleep(0.5)
