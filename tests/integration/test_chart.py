"""The Helm chart: linted, rendered for three sets of values, each object strictly as Kubernetes and KEDA take it."""

import json
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli.main import build
from schemas.settings import Settings
from tests.integration.collecting import python_clients
from tests.integration.tools import KEDA, go_module, go_tool

pytestmark = pytest.mark.clients

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "touchline"
SETS = sorted(path.name for path in (CHART / "ci").glob("*-values.yaml"))
#: The oldest version that Chart.yaml allows, and the newest that the schemas have.
KUBERNETES = ("1.28.0", "1.37.0")
VARIABLES = {field.metadata["variable"] for field in fields(Settings)}
_LOAD = "import json, sys, yaml; print(json.dumps([each for each in yaml.safe_load_all(sys.stdin) if each]))"


def helm(do: str, values: str, more: Mapping[str, Any] | None = None) -> "subprocess.CompletedProcess[str]":
    """Lint or render the chart with a set of values, `more` laid over it; keys are paths like worker.replicas."""
    found = parsed((CHART / "ci" / values).read_text())[0]
    for path, value in (more or {}).items():
        *folders, name = path.split(".")
        place = found
        for folder in folders:
            place = place.setdefault(folder, {})
        place[name] = value
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(found, file)
        file.flush()
        what = ["lint", "--strict", CHART] if do == "lint" else ["template", "touchline", CHART]
        command = [go_tool("helm"), *what, "--values", file.name]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)


def parsed(text: str) -> list[dict[str, Any]]:
    python = python_clients("deploy.txt") / "bin" / "python"
    done = subprocess.run([python, "-c", _LOAD], input=text, capture_output=True, text=True, check=True)
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def rendered(values: str, more: Mapping[str, Any] | None = None) -> str:
    done = helm("render", values, more)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(params=SETS)
def objects(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    return parsed(rendered(request.param))


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Where kubeconform finds schemas without a network: KEDA's, made from its source."""
    folder = tmp_path_factory.mktemp("schemas")
    (definition,) = parsed((go_module(KEDA) / "config/crd/bases/keda.sh_scaledobjects.yaml").read_text())
    (version,) = definition["spec"]["versions"]
    schema = closed(version["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    (folder / "scaledobject-keda-v1alpha1.json").write_text(json.dumps(schema))
    name = "{{ .ResourceKind }}{{ .KindSuffix }}.json"
    return [f"{folder}/{name}"]


def closed(schema: Any) -> Any:
    """The schema, which refuses properties that it does not name."""
    if isinstance(schema, dict):
        made = {name: closed(value) for name, value in schema.items()}
        if "properties" in schema and "additionalProperties" not in schema:
            made["additionalProperties"] = False
        return made
    return [closed(each) for each in schema] if isinstance(schema, list) else schema


_CHECK = """
import json, sys, kubernetes_validate
version, objects = json.load(sys.stdin)
for each in objects:
    kubernetes_validate.validate(each, version, strict=True)
"""


def problems(text: str, schemas: list[str], version: str) -> str:
    """What strict checks object to: Kubernetes' own kinds by their schemas, KEDA's by kubeconform."""
    objects = parsed(text)
    ours = [each for each in objects if not each["apiVersion"].startswith("keda.sh/")]
    keda = [each for each in objects if each["apiVersion"].startswith("keda.sh/")]
    python = python_clients("deploy.txt") / "bin" / "python"
    told = json.dumps([version.rpartition(".")[0], ours])
    done = subprocess.run([python, "-c", _CHECK], input=told, capture_output=True, text=True, timeout=120)
    found = done.stderr[-2000:] if done.returncode else ""
    for each in keda:
        command = [go_tool("kubeconform"), "-strict", "-schema-location", schemas[-1]]
        done = subprocess.run(command, input=json.dumps(each), capture_output=True, text=True, timeout=120)
        found += done.stdout + done.stderr if done.returncode else ""
    return found


@pytest.mark.parametrize("values", SETS)
def test_helm_lints_the_chart(values: str) -> None:
    done = helm("lint", values)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("values", SETS)
def test_every_object_is_what_kubernetes_and_keda_take(values: str, version: str, schemas: list[str]) -> None:
    text = rendered(values)
    assert problems(text, schemas, version) == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("terminationGracePeriodSeconds", "terminationGrace"), ("maxReplicaCount", "maxReplicas")],
)
def test_a_misspelt_field_would_be_found(right: str, wrong: str, schemas: list[str]) -> None:
    text = rendered("production-values.yaml")
    assert right in text
    assert problems(text.replace(right, wrong), schemas, KUBERNETES[0])


def pods(objects: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The name and the pod's spec of each object that makes pods."""
    for each in objects:
        if each["kind"] in ("Deployment", "StatefulSet", "Job"):
            yield each["metadata"]["name"], each["spec"]["template"]["spec"]


def test_pods_meet_the_restricted_standard_on_a_read_only_root(objects: list[dict[str, Any]]) -> None:
    assert list(pods(objects))
    for name, pod in pods(objects):
        assert pod["securityContext"]["runAsNonRoot"], name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not pod["automountServiceAccountToken"]
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            }  # fmt: skip
            assert "limits" in container["resources"]
        assert {*(kind for volume in pod["volumes"] for kind in volume)} <= {
            "name", "projected", "emptyDir", "configMap",
        }  # fmt: skip


def test_containers_run_commands_with_settings_that_exist(objects: list[dict[str, Any]]) -> None:
    touchline = build()
    for name, pod in pods(objects):
        (container,) = pod["containers"]
        # with --help a command reads its options and does nothing
        result = CliRunner().invoke(touchline, [*container["args"], "--help"])
        assert result.exit_code == 0, f"{name}: {result.output}"
        environ = {each["name"]: each["value"] for each in container["env"]}
        assert environ.keys() <= VARIABLES
        assert len(environ) == len(container["env"]), "a setting stands there twice"
        address = environ.pop("TOUCHLINE_CLICKHOUSE_URL", "")
        if address and not address.startswith("@"):  # a file is in the pod
            environ["TOUCHLINE_CLICKHOUSE_URL"] = re.sub(r"\?ca=/run/secrets/touchline/[\w.-]+", "", address)
        Settings.from_env(environ)


def test_a_pod_has_the_secrets_that_its_settings_name_and_no_others(objects: list[dict[str, Any]]) -> None:
    for name, pod in pods(objects):
        (container,) = pod["containers"]
        text = json.dumps(container["env"])
        named = {*re.findall(r"/run/secrets/touchline/([\w.-]+)", text)}
        mounted = {
            item["path"]
            for volume in pod["volumes"]
            for source in volume.get("projected", {}).get("sources", ())
            for item in source["secret"]["items"]
        }
        # an authority is named within the address of ClickHouse, which may itself be a file
        assert named - {"clickhouse-ca.crt"} == mounted - {"clickhouse-ca.crt"}, name
    names = dict(pods(objects))
    assert "clickhouse-url" not in json.dumps(names["touchline-worker"])


def test_what_is_replaced_is_what_probes_and_selectors_mean(objects: list[dict[str, Any]]) -> None:
    for each in objects:
        if each["kind"] not in ("Deployment", "StatefulSet"):
            continue
        template = each["spec"]["template"]
        selected = each["spec"]["selector"]["matchLabels"]
        assert selected.items() <= template["metadata"]["labels"].items()
        assert "app.kubernetes.io/version" not in selected, "an upgrade may not change it"
        (container,) = template["spec"]["containers"]
        assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "metrics"}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics"}
        budgets = [one for one in objects if one["kind"] == "PodDisruptionBudget"]
        assert any(one["spec"]["selector"]["matchLabels"] == selected for one in budgets)


def test_topics_come_before_tables_and_both_before_everything_else(objects: list[dict[str, Any]]) -> None:
    jobs = [each for each in objects if each["kind"] == "Job"]
    found = {each["metadata"]["name"]: each["metadata"]["annotations"] for each in jobs}
    assert found.keys() == {"touchline-topics", "touchline-migrate"}
    assert all(each["helm.sh/hook"] == "pre-install,pre-upgrade" for each in found.values())
    weights = {name: int(each["helm.sh/hook-weight"]) for name, each in found.items()}
    assert weights["touchline-topics"] < weights["touchline-migrate"]
    for each in objects:  # what the jobs mount is made before them
        if each["metadata"]["name"] == "touchline-setup-files":
            assert int(each["metadata"]["annotations"]["helm.sh/hook-weight"]) < min(weights.values())


def test_a_changed_policy_restarts_workers() -> None:
    def checksum(policy: str) -> str:
        text = rendered("minimal-values.yaml", {"files.identityPolicy": policy})
        (worker,) = [each for each in parsed(text) if each["kind"] == "StatefulSet"]
        return str(worker["spec"]["template"]["metadata"]["annotations"]["checksum/files"])

    assert checksum("one") == checksum("one") != checksum("two")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"kafka.brokers": ""}, "kafka.brokers: name your Kafka"),
        ({"kafka.brokers": "kafka"}, "brokers"),
        ({"worker.replica": 3}, "replica"),
        ({"collector.enabled": True}, "secrets.collectorKeys.name"),
        ({"secrets.colectorKeys": {"name": "x", "key": "y"}}, "colectorKeys"),
        ({"secrets.kafkaCertificate": {"name": "x", "key": "tls.crt"}}, "secrets.kafkaKey.name"),
        (
            {"secrets.previousPseudonymKey": {"name": "x", "key": "key"}},
            "TOUCHLINE_PREVIOUS_PSEUDONYM_KEY_ID",
        ),
        ({"networkPolicy.kafka": {"port": 9093}}, "port"),
        ({"serve.enabled": True}, "secrets.subscriberKeys.name"),
        ({"webhooks.enabled": True}, "secrets.webhooks.name"),
        ({"page.enabled": True}, "page.proxies"),
        ({"settings.TOUCHLINE_PARTITIONS": 3}, "the chart sets it from another value"),
        ({"worker.autoscaling.enabled": True, "worker.autoscaling.maxReplicas": 99}, "kafka.partitions"),
    ],
)
def test_values_that_cannot_work_are_refused_with_a_sentence(more: dict[str, Any], said: str) -> None:
    done = helm("render", "minimal-values.yaml", more)
    assert done.returncode != 0
    assert said in done.stderr


def test_the_notes_ask_a_pod_that_reaches_kafka_and_clickhouse() -> None:
    (asked,) = re.findall(
        r"exec deployment/.*?-(\w+) -- touchline status", (CHART / "templates/NOTES.txt").read_text()
    )
    (pod,) = [
        pod for name, pod in pods(parsed(rendered("minimal-values.yaml"))) if name == f"touchline-{asked}"
    ]
    assert "TOUCHLINE_CLICKHOUSE_URL" in {each["name"] for each in pod["containers"][0]["env"]}


def test_a_rotation_and_mutual_tls_have_their_files() -> None:
    more = {
        "secrets.previousPseudonymKey": {"name": "before", "key": "key"},
        "settings.TOUCHLINE_PREVIOUS_PSEUDONYM_KEY_ID": "k1",
        "secrets.kafkaCertificate": {"name": "client", "key": "tls.crt"},
        "secrets.kafkaKey": {"name": "client", "key": "tls.key"},
    }
    for name, pod in pods(parsed(rendered("minimal-values.yaml", more))):
        environ = {each["name"]: each["value"] for each in pod["containers"][0]["env"]}
        told = {path for path in environ.values() if "/run/secrets/" in path}
        mounted = {
            f"/run/secrets/touchline/{item['path']}"
            for volume in pod["volumes"]
            for source in volume.get("projected", {}).get("sources", ())
            for item in source["secret"]["items"]
        }
        assert {each.removeprefix("@") for each in told} == mounted, name
        assert len(mounted) >= 4
