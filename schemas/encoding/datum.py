"""One Avro datum to a record and back: by cavro where it is installed, else by fastavro, with the same results.

cavro (the extra `fast`) compiles a codec per schema and is two to three times as fast.
"""

import os
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any, Final

from fastavro import parse_schema, schemaless_reader, schemaless_writer

from schemas.records import AvroSchema, Record

try:
    import cavro
except ImportError:  # not installed, or no wheel for this Python
    cavro = None

Read = Callable[[bytes], Record]
Write = Callable[[Mapping[str, Any]], bytes]

#: cavro accepts bytes that are left over. This random end mark behind every datum reveals them, and also a datum that
#: reads beyond its own bytes. No source can know it.
_END: Final = os.urandom(16)
_NOT_WHOLE: Final = "bytes are left over, or missing"


def physical(schema: AvroSchema) -> AvroSchema:
    """A schema without logical types: times stay integers, as records.py promises."""
    if isinstance(schema, list):
        return [physical(branch) for branch in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: value for key, value in schema.items() if key != "logicalType"}
    for inner in ("type", "items", "values"):
        if inner in result:
            result[inner] = physical(result[inner])
    if "fields" in result:
        result["fields"] = [{**field, "type": physical(field["type"])} for field in result["fields"]]
    return result


def parsed(schema: AvroSchema) -> AvroSchema:
    """A schema as fastavro reads and writes by it. Raises what fastavro raises for what is not Avro."""
    return parse_schema(physical(schema), named_schemas={})


def reader(schema: AvroSchema) -> Read:
    """Decodes a whole datum.

    What is no such datum makes either library raise one of a dozen types; ValueError if bytes are left over.
    """
    if cavro is None:
        return _fastavro_reader(schema)
    ended = {
        "type": "record", "name": "Ended", "namespace": "touchline.wire",
        "fields": [
            {"name": "datum", "type": physical(schema)},
            {"name": "end", "type": {"type": "fixed", "name": "End", "size": len(_END)}},
        ],
    }  # fmt: skip
    decode = cavro.Schema(ended, options=_options()).binary_decode

    def read(datum: bytes) -> Record:
        record = decode(datum + _END)
        if record["end"] != _END:
            raise ValueError(_NOT_WHOLE)
        return record["datum"]  # type: ignore[no-any-return]

    return read


def beginning(schema: AvroSchema, *path: str) -> Read:
    """Decodes the first fields of a datum, to the one that a path of names leads to, and ignores what follows.

    What is no such datum makes either library raise one of a dozen types.
    """
    first = _until(schema, path)
    if cavro is not None:
        decode: Read = cavro.Schema(physical(first), options=_options()).binary_decode
        return decode
    known = parsed(first)
    return lambda datum: schemaless_reader(BytesIO(datum), known, None)


def _until(schema: AvroSchema, path: tuple[str, ...]) -> AvroSchema:
    names = [field["name"] for field in schema["fields"]]
    *before, last = schema["fields"][: names.index(path[0]) + 1]
    if path[1:]:
        last = {**last, "type": _until(last["type"], path[1:])}
    return {**schema, "fields": [*before, last]}


def writer(schema: AvroSchema) -> Write:
    """Encodes a datum.

    Raises ValueError, TypeError, KeyError, AttributeError or OverflowError for a record that does not fit it.
    """
    if cavro is None:
        return _fastavro_writer(schema)
    encode: Write = cavro.Schema(physical(schema), options=_options()).binary_encode
    return encode


def _options() -> Any:
    return cavro.DEFAULT_OPTIONS.replace(record_decodes_to_dict=True, adapt_record_types=False)


def _fastavro_reader(schema: AvroSchema) -> Read:
    known = parsed(schema)

    def read(datum: bytes) -> Record:
        buffer = BytesIO(datum)
        record: Record = schemaless_reader(buffer, known, None)
        if buffer.tell() != len(datum):
            raise ValueError(_NOT_WHOLE)
        return record

    return read


def _fastavro_writer(schema: AvroSchema) -> Write:
    known = parsed(schema)

    def write(record: Mapping[str, Any]) -> bytes:
        buffer = BytesIO()
        schemaless_writer(buffer, known, record)
        return buffer.getvalue()

    return write
