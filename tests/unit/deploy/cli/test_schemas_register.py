"""`touchline schemas register`: idempotent, honest in a dry run, and one sentence for each refusal."""

import base64
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
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


@pytest.mark.parametrize("number", [-1, -(2**31), 2**32, 10**100])
@pytest.mark.parametrize("known", [False, True], ids=["registered", "unchanged"])
def test_an_id_that_no_record_has_room_for_is_refused_with_a_sentence(
    registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch, number: int, known: bool
) -> None:
    if known:
        register_all(registry.url)
    monkeypatch.setattr(registry, "id_of", lambda _: number)
    with pytest.raises(UnavailableError, match=r"the schema id .*, which does not fit the four bytes"):
        register_all(registry.url)


@pytest.mark.parametrize("number", [None, True, "7", 1.5, [1]])
def test_an_id_that_is_no_number_is_no_answer_of_a_registry(
    registry: MemoryRegistry, monkeypatch: pytest.MonkeyPatch, number: object
) -> None:
    monkeypatch.setattr(registry, "id_of", lambda _: number)
    with pytest.raises(UnavailableError, match="does not answer as a schema registry does"):
        register_all(registry.url)


@pytest.mark.parametrize("number", [0, 2**31, 2**32 - 1])
def test_an_id_that_a_record_has_room_for_is_taken(
    registry: MemoryRegistry, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(registry, "id_of", lambda _: number)
    code, rows, _ = ran(capsys, registry)
    assert (code, {row["id"] for row in rows}) == (0, {number})


#: Clears a screen, names a window, and hides what follows.
HOSTILE = "no\x1b[2J\x1b]0;owned\x07\x9b8m\r\u202eyes"


def test_a_terminal_obeys_nothing_that_a_registry_says(
    registry: MemoryRegistry, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "compatible", lambda *_: False)
    answer = registry.answer

    def hostile(*asked: Any) -> tuple[int, Any]:
        status, said = answer(*asked)
        return status, {**said, "message": HOSTILE} if status == 409 else said

    monkeypatch.setattr(registry, "answer", hostile)
    code, _, said = ran(capsys, registry)
    assert code == 1
    assert "no [2J ]0;owned  8m  yes" in said
    assert said.replace("\n", "").isprintable()


@contextmanager
def raw_server(sent: bytes) -> Iterator[str]:
    """The URL of a server that answers every request with these bytes."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            size = 0
            while (line := self.rfile.readline()).strip():
                name, _, value = line.partition(b":")
                size = int(value) if name.lower() == b"content-length" else size
            self.rfile.read(size)
            self.wfile.write(sent)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_a_terminal_obeys_nothing_that_a_server_of_another_kind_says() -> None:
    sent = HOSTILE.encode() + b"\r\n\r\n"
    with raw_server(sent) as url, pytest.raises(UnavailableError, match="does not answer: ") as failed:
        register_all(url)
    assert str(failed.value).isprintable()


def test_a_refusal_of_nothing_but_brackets_gives_no_reason(capsys: pytest.CaptureFixture[str]) -> None:
    body = b"[" * 100_000
    with raw_server(b"HTTP/1.1 409 Conflict\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)) as url:
        assert register_all(url) == 1
    assert "it gives no reason" in capsys.readouterr().err


def test_a_refusal_that_breaks_off_is_one_sentence() -> None:
    sent = b"HTTP/1.1 409 Conflict\r\nTransfer-Encoding: chunked\r\n\r\nno size"
    with raw_server(sent) as url, pytest.raises(UnavailableError, match="does not answer: IncompleteRead"):
        register_all(url)
