"""Records to bytes and back: Avro single-object encoding (Avro 1.12), read also from Confluent framing.

A single object is C3 01, the 8-byte CRC-64-AVRO fingerprint of the writer's schema, and the datum. The
fingerprint says which record it is, so a topic may carry several and needs no registry.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

from fastavro import parse_schema, schemaless_reader, schemaless_writer

from schemas.bounds import check_bounds
from schemas.errors import ContractError, Reason
from schemas.records import Record
from schemas.registry import WriterSchema, current, fingerprint_of, writers

MAX_BYTES: Final = 1024 * 1024  #: of one record's value
MARKER: Final = b"\xc3\x01"
HEADER_BYTES: Final = 10
#: Below this size a datum cannot describe enough empty items to matter; above it is walked before it is decoded.
UNWALKED_BYTES: Final = 4096

_CURRENT = {name: parse_schema(schema, named_schemas={}) for name, schema in current().items()}
_HEADERS = {name: MARKER + fingerprint_of(schema) for name, schema in current().items()}
_WRITERS = writers()
_PARSED = {mark: parse_schema(writer.schema, named_schemas={}) for mark, writer in _WRITERS.items()}

#: Confluent schema id → the schema registered under it; raises ContractError if it cannot be had.
SchemaById = Callable[[int], dict[str, Any]]


def encode(name: str, record: Any) -> bytes:
    """Encode a record of schema `name`. Raises ContractError (INVALID) if it does not fit the schema."""
    buffer = BytesIO()
    buffer.write(_HEADERS[name])
    try:
        schemaless_writer(buffer, _CURRENT[name], record)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ContractError(Reason.INVALID, f"not a {name}: {error}") from error
    return buffer.getvalue()


def header(name: str) -> bytes:
    """The first 10 bytes of every current single object of schema `name`."""
    return _HEADERS[name]


def name_of(data: bytes) -> str:
    """Which record the bytes say they are. Raises ContractError (UNDECODABLE)."""
    return _writer(data).name


def decode(data: bytes | None, schema_by_id: SchemaById | None = None) -> tuple[str, Record]:
    """Decode a single object, or a Confluent-framed Touchpoint if `schema_by_id` is given.

    Returns the record's name and the record as the current schema describes it. Raises ContractError, and
    only that, for whatever bytes: reason TOO_LARGE over MAX_BYTES or the contract's counts, else UNDECODABLE.
    """
    if data is None:
        raise ContractError(Reason.UNDECODABLE, "the record has no value")
    if len(data) > MAX_BYTES:
        raise ContractError(Reason.TOO_LARGE, f"the record has {len(data)} bytes, the limit is {MAX_BYTES}")
    if data[:1] == b"\x00" and schema_by_id is not None:
        return "Touchpoint", _decode_confluent(data, schema_by_id)
    writer = _writer(data)
    return writer.name, _read(writer.name, writer.schema, _PARSED[writer.fingerprint], data, HEADER_BYTES)


def decode_as(name: str, data: bytes | None) -> Record:
    """Decode a single object that must be a `name`. Raises ContractError."""
    found, record = decode(data)
    if found != name:
        raise ContractError(Reason.UNDECODABLE, f"expected a {name}, found a {found}")
    return record


def _writer(data: bytes) -> WriterSchema:
    if data[:2] != MARKER:
        raise ContractError(Reason.UNDECODABLE, "not Avro single-object encoding: the first two bytes are not C3 01")
    writer = _WRITERS.get(data[2:HEADER_BYTES])
    if writer is None:
        raise ContractError(Reason.UNDECODABLE, f"unknown schema fingerprint {data[2:HEADER_BYTES].hex()}")
    return writer


def _decode_confluent(data: bytes, schema_by_id: SchemaById) -> Record:
    if len(data) < 5:
        raise ContractError(Reason.UNDECODABLE, "Confluent framing is cut off: no schema id")
    schema = schema_by_id(int.from_bytes(data[1:5], "big"))
    try:
        parsed = parse_schema(schema, named_schemas={})
    except Exception as error:
        raise ContractError(Reason.UNDECODABLE, f"the registered schema is not Avro: {error}") from error
    return _read("Touchpoint", schema, parsed, data, 5)


def _read(name: str, schema: dict[str, Any], parsed: Any, data: bytes, start: int) -> Record:
    if len(data) > UNWALKED_BYTES:
        check_bounds(schema, data, start)
    buffer = BytesIO(data)
    buffer.seek(start)
    reader_schema = None if parsed is _PARSED.get(_HEADERS[name][2:]) else _CURRENT[name]
    try:
        record = schemaless_reader(buffer, parsed, reader_schema)
    except Exception as error:
        # fastavro raises a dozen types for hostile bytes; every one of them means the same here
        raise ContractError(Reason.UNDECODABLE, f"not a {name}: {type(error).__name__}: {error}") from error
    if buffer.tell() != len(data):
        raise ContractError(Reason.UNDECODABLE, f"{len(data) - buffer.tell()} bytes left over after the {name}")
    return record  # type: ignore[no-any-return]
