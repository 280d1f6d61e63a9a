"""Confluent framing against a real HTTP registry on loopback, and foreign schemas that could hurt."""

import json
import threading
from collections.abc import Iterator
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any

import pytest
from fastavro import parse_schema, schemaless_writer

from schemas.encoding.codec import decode, foreign_schema
from schemas.encoding.confluent import MAX_ANSWER_BYTES, RegistryClient
from schemas.encoding.registry import current
from schemas.errors import ContractError, Reason, SettingsError, UnavailableError
from tests.support.examples import example
from tests.support.touchpoints import touchpoint


class Registry:
    """What a schema registry answers, by path, and how often it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked = 0
        registry = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked += 1
                status, body = registry.answers.get(self.path, (404, b'{"error_code": 40403}'))
                if status == 0:
                    self.wfile.write(b"SSH-2.0-no registry at all\r\n")
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def register(self, number: int, schema: Any) -> None:
        text = schema if isinstance(schema, str) else json.dumps(schema)
        self.answers[f"/schemas/ids/{number}"] = (200, json.dumps({"schema": text}).encode())

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def registry() -> Iterator[Registry]:
    running = Registry()
    yield running
    running.close()


def framed(number: int, schema: Any, record: Any) -> bytes:
    buffer = BytesIO(b"\x00" + number.to_bytes(4, "big"))
    buffer.seek(0, 2)
    schemaless_writer(buffer, parse_schema(schema, named_schemas={}), record)
    return buffer.getvalue()


def acme(drop: tuple[str, ...] = ()) -> dict[str, Any]:
    """The Touchpoint schema as another company would register it: own namespace, fewer fields."""
    schema = json.loads(json.dumps(current()["Touchpoint"]).replace('"touchline', '"com.acme'))
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in drop]
    return schema


def record_of(*fields: Any) -> dict[str, Any]:
    return {
        "type": "record",
        "name": "Touchpoint",
        "fields": [{"name": f"f{number}", "type": kind} for number, kind in enumerate(fields)],
    }


def test_a_framed_touchpoint_is_read_and_its_schema_fetched_once(registry: Registry) -> None:
    schema = acme(drop=("experiments", "campaign"))
    registry.register(7, schema)
    written = touchpoint(consent={"marketing": "GRANTED"}, score={"kind": "NPS", "value": 9.0})
    data = framed(7, schema, written)
    client = RegistryClient(registry.url + "/")
    assert decode(data, client.lookup) == ("Touchpoint", written)
    assert decode(data, client.lookup) == ("Touchpoint", written)
    assert registry.asked == 1


def test_a_large_framed_touchpoint_of_another_namespace_is_read(registry: Registry) -> None:
    schema = acme()
    registry.register(8, schema)
    written = {**example("Touchpoint"), "attributes": {str(number): "x" * 50 for number in range(128)}}
    data = framed(8, schema, written)
    assert len(data) > 4096
    assert decode(data, RegistryClient(registry.url).lookup) == ("Touchpoint", written)


def test_without_a_registry_framed_bytes_are_refused() -> None:
    with pytest.raises(ContractError):
        decode(framed(1, acme(), touchpoint()))


@pytest.mark.parametrize("cut", range(1, 5))
def test_a_cut_off_frame_is_refused_without_asking_the_registry(registry: Registry, cut: int) -> None:
    with pytest.raises(ContractError):
        decode(framed(1, acme(), touchpoint())[:cut], RegistryClient(registry.url).lookup)
    assert registry.asked == 0


def test_a_schema_that_cannot_become_a_touchpoint_is_refused(registry: Registry) -> None:
    schema = record_of("string")
    registry.register(9, schema)
    with pytest.raises(ContractError) as refused:
        decode(framed(9, schema, {"f0": "x"}), RegistryClient(registry.url).lookup)
    assert refused.value.reason is Reason.UNDECODABLE


def test_an_id_that_the_registry_does_not_have_is_a_bad_record(registry: Registry) -> None:
    with pytest.raises(ContractError, match="no schema 5"):
        RegistryClient(registry.url).lookup(5)


@pytest.mark.parametrize("schema", ["{", "[" * 100_000, '"string"', "[]", "7", "null", '{"type": "record"}'])
def test_what_is_registered_but_no_record_is_a_bad_record(registry: Registry, schema: str) -> None:
    registry.register(1, schema)
    with pytest.raises(ContractError):
        RegistryClient(registry.url).lookup(1)


def test_a_schema_beyond_all_measure_is_a_bad_record(registry: Registry) -> None:
    registry.register(1, record_of("string") | {"doc": "x" * MAX_ANSWER_BYTES})
    with pytest.raises(ContractError):
        RegistryClient(registry.url).lookup(1)


@pytest.mark.parametrize(
    "answer", [(500, b""), (401, b""), (200, b"<html>"), (200, b"[]"), (200, b"{}"), (0, b"")]
)
def test_a_registry_that_fails_is_unavailable_and_the_record_is_kept(
    registry: Registry, answer: tuple[int, bytes]
) -> None:
    registry.answers["/schemas/ids/1"] = answer
    with pytest.raises(UnavailableError):
        RegistryClient(registry.url).lookup(1)


def test_a_registry_that_is_not_there_is_unavailable() -> None:
    gone = Registry()
    gone.close()
    with pytest.raises(UnavailableError):
        RegistryClient(gone.url).lookup(1)


def test_a_registry_url_must_be_http() -> None:
    with pytest.raises(SettingsError, match="TOUCHLINE_REGISTRY_URL"):
        RegistryClient("file:///etc/passwd")


LINKED = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
IN_NAMESPACE = {
    "type": "record",
    "name": "Touchpoint",
    "namespace": "com.acme",
    "fields": [
        {
            "name": "node",
            "type": {
                "type": "record",
                "name": "Node",
                "fields": [{"name": "next", "type": ["null", "com.acme.Node"]}],
            },
        }
    ],
}
BY_FULL_NAME = {
    "type": "record",
    "name": "com.acme.Touchpoint",
    "fields": [{"name": "again", "type": ["null", "Touchpoint"]}],
}
EMPTY = {"type": "record", "name": "Empty", "fields": []}


def chain(length: int) -> dict[str, Any]:
    """Records that nest by name, one in the next, each written flat."""
    kinds: list[Any] = ["int"]
    for number in range(length):
        inner = f"R{number - 1}" if number else "int"
        kinds.append({"type": "record", "name": f"R{number}", "fields": [{"name": "x", "type": inner}]})
    return record_of(*kinds)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        (record_of(LINKED), "recursive"),
        (IN_NAMESPACE, "recursive"),
        (BY_FULL_NAME, "recursive"),
        (record_of({"type": "array", "items": "null"}), "no width"),
        (record_of({"type": "array", "items": {"type": "null"}}), "no width"),
        (record_of({"type": "map", "values": EMPTY}), "no width"),
        (record_of(EMPTY, {"type": "array", "items": "Empty"}), "no width"),
        (record_of({"type": "array", "items": {"type": "fixed", "name": "F", "size": 0}}), "no width"),
        (record_of("null"), "no width"),
        (chain(40), "deeper"),
        (record_of("Elsewhere"), "without defining"),
        (record_of("int") | {"__fastavro_parsed__": True}, "underscores"),
        (record_of({"type": "array"}), "not Avro"),
        (record_of(7), "not Avro"),
    ],
)
def test_a_foreign_schema_that_could_hurt_is_refused(schema: dict[str, Any], why: str) -> None:
    with pytest.raises(ContractError, match=why):
        foreign_schema(schema)


def test_a_schema_nested_a_thousand_deep_is_refused_before_it_is_parsed() -> None:
    kind: Any = "int"
    for _ in range(500):
        kind = {"type": "array", "items": kind}
    with pytest.raises(ContractError, match="deeper"):
        foreign_schema(record_of(kind))


def test_times_in_another_unit_are_refused_rather_than_misread() -> None:
    schema = deepcopy(acme())
    occurred_at = next(field for field in schema["fields"] if field["name"] == "occurred_at")
    occurred_at["type"]["logicalType"] = "timestamp-micros"
    with pytest.raises(ContractError, match="timestamp-micros"):
        foreign_schema(schema)


def test_our_own_schemas_pass_the_check_for_foreign_ones() -> None:
    for schema in current().values():
        foreign_schema(schema)
