"""`touchline schemas register`: idempotent, honest in a dry run, and one sentence for each refusal."""

import base64
import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest

from deploy.cli.schemas import register_all
from schemas.encoding.confluent import RegistryClient
from schemas.encoding.registration import subjects
from schemas.encoding.registry import committed, current
from schemas.errors import SettingsError, UnavailableError
from schemas.settings import Settings
from schemas.topics import ALL
from tests.support.registry import MemoryRegistry, memory_registry

PUBLIC = [topic for topic in ALL if topic.public]


@pytest.fixture
def registry() -> Iterator[MemoryRegistry]:
    with memory_registry() as running:
        yield running


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOUCHLINE_REGISTRY_URL", raising=False)
    monkeypatch.setenv("TOUCHLINE_TOPIC_PREFIX", "eu.")


def ran(
    capsys: pytest.CaptureFixture[str], registry: MemoryRegistry, **options: bool
) -> tuple[int, list[Any], str]:
    code = register_all(registry.url, as_json=True, **options)
    printed = capsys.readouterr()
    return code, [json.loads(line) for line in printed.out.splitlines()], printed.err


def test_every_public_topic_carries_one_record_type_so_its_name_names_the_subject() -> None:
    assert all(len(topic.values) == 1 for topic in PUBLIC)
    assert subjects(Settings(topic_prefix="eu."))["eu.touchpoints-value"] == "Touchpoint"


def test_every_version_of_every_public_schema_is_registered_once(
    registry: MemoryRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    code, rows, _ = ran(capsys, registry)
    assert code == 0
    assert {row["action"] for row in rows} == {"registered"}
    assert registry.subjects == {
        f"eu.{topic.name}-value": list(committed(topic.values[0])) for topic in PUBLIC
    }
    assert set(registry.modes.values()) == {"FULL_TRANSITIVE"}
    before = deepcopy(registry.subjects)
    code, again, _ = ran(capsys, registry)
    assert (code, registry.subjects) == (0, before)
    assert [row["id"] for row in again] == [row["id"] for row in rows]
    assert {row["action"] for row in again} == {"unchanged"}


def test_a_worker_reads_what_is_framed_with_a_registered_id(
    registry: MemoryRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    _, rows, _ = ran(capsys, registry)
    number = next(row["id"] for row in rows if row["record"] == "Touchpoint")
    assert RegistryClient(registry.url).lookup(number)["name"] == "touchline.Touchpoint"


def test_a_dry_run_changes_nothing_and_says_what_would_be_registered(
    registry: MemoryRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    code, rows, _ = ran(capsys, registry, dry_run=True)
    assert (code, registry.subjects, registry.modes) == (0, {}, {})
    assert {row["action"] for row in rows} == {"would be registered"}


@pytest.mark.parametrize("dry_run", [False, True], ids=["real", "dry"])
def test_a_schema_that_clashes_is_refused_with_a_sentence_and_the_others_are_registered(
    registry: MemoryRegistry, capsys: pytest.CaptureFixture[str], dry_run: bool
) -> None:
    foreign = deepcopy(current()["Touchpoint"])
    foreign["fields"].append({"name": "needed", "type": "string"})
    registry.subjects["eu.touchpoints-value"] = [foreign]
    code, rows, said = ran(capsys, registry, dry_run=dry_run)
    assert code == 1
    assert [row["subject"] for row in rows if row["action"] == "refused"] == ["eu.touchpoints-value"]
    assert len(rows) == len(PUBLIC)
    assert "eu.touchpoints-value" in said
    assert registry.subjects["eu.touchpoints-value"] == [foreign]
    assert "eu.touchpoints-value" not in registry.modes


def test_the_password_in_the_url_is_sent_and_never_shown(
    registry: MemoryRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.password = "Basic " + base64.b64encode(b"ann:s cret").decode()
    url = registry.url
    registry.url = url.replace("http://", "http://ann:s%20cret@")
    assert ran(capsys, registry)[0] == 0
    registry.url = url.replace("http://", "http://ann:wrong-one@")
    with pytest.raises(UnavailableError, match="answered 401: put user:password@ before its host") as refused:
        register_all(registry.url)
    assert "wrong-one" not in str(refused.value)


def test_without_a_url_the_sentence_names_the_setting() -> None:
    with pytest.raises(SettingsError, match="set TOUCHLINE_REGISTRY_URL or give --url"):
        register_all()
