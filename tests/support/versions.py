"""A made-up version 2 of a record: the codec knows it as a released version, and as no current one."""

from io import BytesIO
from typing import Any

import pytest
from fastavro import schemaless_writer

from schemas.encoding import codec
from schemas.encoding.datum import parsed
from schemas.encoding.registry import WriterSchema, current, fingerprint_of


def as_version_2(name: str, record: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> bytes:
    """The record as written by a version that has one more field, which the current version does not know."""
    extra = {"name": "made_up", "type": "string"}
    schema = {**current()[name], "fields": [extra, *current()[name]["fields"]]}
    mark = fingerprint_of(schema)
    monkeypatch.setitem(codec.RELEASED, mark, WriterSchema(name, mark, schema))
    buffer = BytesIO()
    schemaless_writer(buffer, parsed(schema), {**record, "made_up": "of version 2"})
    return codec.MARKER + mark + buffer.getvalue()
