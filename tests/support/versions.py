"""A made-up version 2 of every record: the codec knows it as a released version, and as no current one."""

from collections.abc import Callable
from functools import cache
from io import BytesIO
from typing import Any

import pytest
from fastavro import schemaless_writer

from schemas.encoding import codec
from schemas.encoding.codec import decode
from schemas.encoding.registry import WriterSchema, current, fingerprint_of

Change = Callable[[bytes], bytes]


@cache
def version_2(name: str) -> WriterSchema:
    """A version that has one more field in front, which the current version does not know."""
    extra = {"name": "made_up", "type": "string"}
    schema = {**current()[name], "fields": [extra, *current()[name]["fields"]]}
    return WriterSchema(name, fingerprint_of(schema), schema)


def as_version_2(name: str, record: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The record as a release with version 2 writes it. The codec knows that version until the test ends."""
    writer = version_2(name)
    monkeypatch.setitem(codec.RELEASED, writer.fingerprint, writer)
    buffer = BytesIO()
    schemaless_writer(buffer, writer.parsed, {**record, "made_up": "of version 2"})
    return codec.MARKER + writer.fingerprint + buffer.getvalue()


def to_version_2(monkeypatch: pytest.MonkeyPatch) -> Change:
    """Rewrites an encoded record, and the encoded records inside it, as a release with version 2 writes them."""

    def rewrite(data: bytes) -> bytes:
        name, record = decode(data)
        return as_version_2(name, _within(current()[name], record, rewrite), monkeypatch)

    return rewrite


def in_full(data: bytes) -> tuple[str, Any]:
    """The name and the content of an encoded record; the encoded records inside it are decoded too."""
    name, record = decode(data)
    return name, _within(current()[name], record, in_full)


def _within(schema: Any, value: Any, change: Callable[[bytes], Any]) -> Any:
    """A decoded value with `change` applied to the encoded records that its fields hold (attribute `encodes`)."""
    if isinstance(schema, dict) and schema["type"] == "record":
        return {
            field["name"]: _encoded(value[field["name"]], change)
            if "encodes" in field
            else _within(field["type"], value[field["name"]], change)
            for field in schema["fields"]
        }
    if isinstance(schema, dict) and schema["type"] == "array":
        return [_within(schema["items"], item, change) for item in value]
    if isinstance(schema, list) and isinstance(value, dict):
        return _within(next(one for one in schema if one != "null"), value, change)
    return value


def _encoded(value: Any, change: Callable[[bytes], Any]) -> Any:
    return [change(one) for one in value] if isinstance(value, list) else change(value)
