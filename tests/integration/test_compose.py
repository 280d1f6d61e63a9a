"""deploy/compose: Compose would take the file, and its services have what they need and no more."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from deploy.cli.main import COMMANDS
from tests.integration.collecting import python_clients
from tests.integration.composing import FOLDER, compose_file, ours, properties_of, scraped, yaml_of
from tests.integration.tools import node_package

pytestmark = pytest.mark.clients

ROOT = FOLDER.parents[1]


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return compose_file()


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


def test_every_service_of_ours_runs_a_command(described: dict[str, Any]) -> None:
    found = {name: service["command"][0] for name, service in ours(described).items() if "command" in service}
    assert {*found.values()} <= {*COMMANDS}
    assert {*ours(described)} - found.keys() == {"tools"}


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


def test_grafana_finds_its_dashboards_and_each_panel_a_source(described: dict[str, Any]) -> None:
    mounted = {
        target: (FOLDER / source).resolve()
        for source, target, *_ in (
            volume.split(":") for volume in described["services"]["grafana"]["volumes"]
        )
    }
    provider = mounted["/etc/grafana/provisioning/dashboards/touchline.yaml"]
    (place,) = [each["options"]["path"] for each in yaml_of(provider.read_text())["providers"]]
    dashboards = [json.loads(path.read_text()) for path in sorted(mounted[place].glob("*.json"))]
    uids = [dashboard["uid"] for dashboard in dashboards]
    assert len({*uids}) == len(uids) >= 3
    known = {each["uid"] for each in yaml_of((FOLDER / "datasources.yaml").read_text())["datasources"]}
    for dashboard in dashboards:
        asked = {*re.findall(r'"datasource": \{[^}]*"uid": "([^"]+)"', json.dumps(dashboard))}
        assert asked - {"-- Grafana --"} <= known, dashboard["title"]
        assert asked & known, dashboard["title"]


@pytest.fixture
def prometheus(described: dict[str, Any], tmp_path: Path) -> Path:
    """What the container finds in /etc/prometheus."""
    for volume in described["services"]["prometheus"]["volumes"]:
        source, target, *_ = volume.split(":")
        if source.startswith("."):
            shutil.copy(FOLDER / source, tmp_path / Path(target).name)
    return tmp_path / "prometheus.yml"


def test_prometheus_takes_its_file_and_the_alerts_and_asks_each_service_that_has_metrics(
    described: dict[str, Any], prometheus: Path
) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not on PATH: apt-get install prometheus")
    done = subprocess.run(["promtool", "check", "config", prometheus], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"[1-9]\d* rules found", done.stdout), done.stdout
    alerts = (ROOT / "deploy/prometheus/touchline.rules.yml").read_text()
    assert {*re.findall(r'job=\\"(\w+)', alerts)} <= {job for job, _, _ in scraped()}
    asked = {name for _, name, _ in scraped()}
    measured = {
        "door" if "network_mode" in service else name
        for name, service in ours(described).items()
        if "TOUCHLINE_METRICS_PORT" in service["environment"]
    }
    assert asked == measured


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
