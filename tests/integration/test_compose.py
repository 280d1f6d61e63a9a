"""deploy/compose: Compose would take the file, and its services do the demo's work as processes of this machine."""

import base64
import http.client
import json
import re
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.main import COMMANDS
from deploy.sandbox import kafka_jars
from deploy.screens.demo import views
from schemas.settings import Settings
from sinks.clickhouse.connection import connect
from tests.integration.collecting import python_clients
from tests.integration.composing import FOLDER, Composed, compose_file, composed, properties_of, yaml_of
from tests.integration.parts import reconcile
from tests.integration.processes import wait_until
from tests.integration.tools import node_package

pytestmark = [pytest.mark.sandbox, pytest.mark.clients]

ROOT = FOLDER.parents[1]
#: The README's sentence about `make demo`.
DEMO = re.compile(
    r"^([\d,]+) distinct touchpoints became ([\d,]+) journeys: ([\d,]+) orders, ([\d,]+) of ([\d,]+) carts abandoned",
    re.MULTILINE,
)
#: Commands that serve metrics and health.
MEASURED = ("loader", "collector", "serve")
LONG_RUNNING = ("worker", "loader", "collector", "serve", "page")


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return compose_file()


def ours(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        name: service
        for name, service in described["services"].items()
        if service["image"].startswith("touchline:")
    }


def test_the_schema_of_compose_takes_the_file(described: dict[str, Any]) -> None:
    schema = node_package("compose") / "node_modules/dclint/schemas/compose.schema.json"
    check = "import json, sys, jsonschema; jsonschema.validate(*json.load(sys.stdin))"
    python = python_clients("deploy.txt") / "bin" / "python"

    def verdict(file: dict[str, Any]) -> int:
        text = json.dumps([file, json.loads(schema.read_text())])
        return subprocess.run([python, "-c", check], input=text, capture_output=True, text=True).returncode

    assert verdict(described) == 0
    wrong = json.loads(json.dumps(described))
    wrong["services"]["worker"]["replicas"] = 2  # it belongs below `deploy`
    assert verdict(wrong) != 0


#: What a linter of security objects to, and why it stands.
ACCEPTED = {
    "CL-0006": "ClickHouse begins as root, to own its folders",
    "CL-0007": "the images of Kafka, ClickHouse and Grafana write beside their data",
    "CL-0019": "the digests of other people's images: whoever deploys pins those that they have tried",
    "CL-0020": "the value is @ and the name of a file, no password",
    "CL-0026": "memory is limited; the processes share the machine's cores",
}


def test_a_linter_of_security_finds_nothing_that_has_no_reason() -> None:
    lint = python_clients("deploy.txt") / "bin" / "compose-lint"
    done = subprocess.run(
        [lint, "check", "--format", "json", FOLDER / "compose.yaml"], capture_output=True, text=True
    )
    found = json.loads(done.stdout)["findings"]
    assert [finding for finding in found if finding["rule_id"] not in ACCEPTED] == []
    assert ACCEPTED.keys() <= {finding["rule_id"] for finding in found}, "a reason that is not needed"
    trusted = {name for name in compose_file()["services"] if name in ("kafka", "clickhouse", "grafana")}
    assert {each["service"] for each in found if each["rule_id"] in ("CL-0006", "CL-0007")} <= trusted


def test_every_service_has_a_limit_of_memory(described: dict[str, Any]) -> None:
    assert [name for name, service in described["services"].items() if "mem_limit" not in service] == []


def test_every_service_of_ours_runs_as_nobody_who_may_do_anything(described: dict[str, Any]) -> None:
    for name, service in ours(described).items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "user" not in service, "the image's user"


def test_a_service_gets_the_secrets_that_it_names_and_no_others(described: dict[str, Any]) -> None:
    for name, service in ours(described).items():
        named = re.findall(r"/run/secrets/(\w+)", json.dumps(service["environment"]))
        assert sorted(service["secrets"]) == sorted(named), name
    assert "clickhouse_url" not in described["services"]["worker"]["secrets"]
    assert "clickhouse_url" not in described["services"]["page"]["secrets"]


def test_ports_are_open_on_this_machine_only_and_kafka_and_clickhouse_on_none(
    described: dict[str, Any],
) -> None:
    for name, service in described["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
    for name in ("kafka", "clickhouse"):
        assert "ports" not in described["services"][name]
        assert described["services"][name]["networks"] == ["inside"]
    assert described["networks"]["inside"]["internal"]


def test_what_is_mounted_is_there(described: dict[str, Any]) -> None:
    for name, service in described["services"].items():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith(("./", "../")) and "/secrets/" not in source:
                assert (FOLDER / source).exists(), f"{name}: {volume}"
            elif not source.startswith("."):
                assert source in described["volumes"], f"{name}: {volume}"
    build = described["services"]["worker"]["build"]
    assert (FOLDER / build["context"]).resolve() == ROOT
    assert (ROOT / build["dockerfile"]).exists()


def test_kafka_takes_what_the_sandboxes_kafka_takes(described: dict[str, Any]) -> None:
    here = properties_of(described["services"]["kafka"]["environment"])
    text = (ROOT / "deploy/kafka/server.properties").read_text()
    sandbox = dict(re.findall(r"^([\w.]+)=(.*)$", text, re.MULTILINE))
    for name in ("message.max.bytes", "replica.fetch.max.bytes", "auto.create.topics.enable"):
        assert here[name] == sandbox[name]


def test_grafanas_sources_are_those_that_the_dashboards_ask() -> None:
    def sources(path: Path) -> set[tuple[str, str]]:
        return {(each["uid"], each["type"]) for each in yaml_of(path.read_text())["datasources"]}

    provisioned = sources(ROOT / "deploy/grafana/provisioned/datasources.yaml")
    assert sources(FOLDER / "datasources.yaml") == provisioned


def test_prometheus_takes_its_file_and_asks_each_service_that_has_metrics(described: dict[str, Any]) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not on PATH: apt-get install prometheus")
    done = subprocess.run(
        ["promtool", "check", "config", FOLDER / "prometheus.yml"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    asked = {name for _, name, _ in scraped()}
    measured = {
        "door" if "network_mode" in service else name
        for name, service in ours(described).items()
        if "TOUCHLINE_METRICS_PORT" in service["environment"]
    }
    assert asked == measured


def scraped() -> Iterator[tuple[str, str, int]]:
    """Job, name and port of each service that Prometheus asks."""
    for job in yaml_of((FOLDER / "prometheus.yml").read_text())["scrape_configs"]:
        for found in job["dns_sd_configs"]:
            yield job["job_name"], found["names"][0], found["port"]


def test_prepare_makes_each_secret_once_and_all_that_the_file_names(
    described: dict[str, Any], tmp_path: Path
) -> None:
    shutil.copy(FOLDER / "prepare", tmp_path)

    def prepared() -> dict[str, str]:
        subprocess.run([tmp_path / "prepare"], check=True, capture_output=True)
        return {f"secrets/{path.name}": path.read_text() for path in (tmp_path / "secrets").iterdir()}

    first = prepared()
    assert prepared() == first
    assert {secret["file"] for secret in described["secrets"].values()} <= first.keys()
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0
    (tmp_path / "secrets" / "page.htpasswd").unlink()
    assert {name for name, text in prepared().items() if first[name] != text} == {
        "secrets/page.htpasswd", "secrets/page.password",
    }  # fmt: skip


@pytest.mark.kafka
def test_the_services_as_processes_pass_the_demo(tmp_path: Path) -> None:
    """All that the file starts: setup, two workers, loader, collector, serve, page behind its door, Prometheus."""
    if missing := [program for program in ("nginx", "prometheus") if shutil.which(program) is None]:
        pytest.skip(f"{' and '.join(missing)} not on PATH: apt-get install nginx-light prometheus")
    if kafka_jars.missing_programs():
        pytest.skip("Apache Kafka needs java and mvn on PATH")
    with composed(tmp_path) as stack:
        assert {service["command"][0] for service in ours(stack.file).values() if "command" in service} <= {
            *COMMANDS
        }
        stack.run("topics", *stack.services["topics"]["command"])
        stack.run("migrate", *stack.services["migrate"]["command"])
        for service in LONG_RUNNING:
            stack.start(service)
        start_door(stack)
        stack.wait_healthy(MEASURED)

        events = stack.run("tools", "simulate", "--people", "800", "--events", "20000", "--seed", "7")
        stack.run("tools", "publish", "-", text=events)
        wait_until(lambda: nothing_is_left(stack))
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
    text = (stack.folder / "door.conf").read_text()
    text = text.replace("listen 8080", f"listen {at}:8080").replace("127.0.0.1:8470", f"{at}:8470")
    text = text.replace("/run/secrets/page_users", str(stack.secret("page_users")))
    scratch = stack.folder / "tmp"
    scratch.mkdir()
    conf.write_text("daemon off;\nuser root;\n" + text.replace("/tmp/", f"{scratch}/"))
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
            "job_name": job,
            "static_configs": [{"targets": [f"{at}:{port}" for at in addresses_of(stack, service)]}],
        }
        for job, service, port in scraped()
        if service in MEASURED
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
    assert targets == len(MEASURED)

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
