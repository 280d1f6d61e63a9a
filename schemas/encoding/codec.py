"""Records to bytes and back: Avro single-object encoding (Avro 1.12), read also from Confluent framing.

A single object is C3 01, the 8-byte CRC-64-AVRO fingerprint of the writer's schema, and the datum. The
fingerprint says which record it is, so a topic may carry several and needs no registry.
"""

from collections.abc import Callable, Mapping
from functools import cache
from io import BytesIO
from typing import Any, Final

from fastavro import schemaless_reader

from schemas.encoding.bounds import check_bounds, check_schema
from schemas.encoding.datum import Read, beginning, parsed, reader, writer
from schemas.encoding.registry import WriterSchema, current, fingerprint_of, writers
from schemas.errors import ContractError, Reason
from schemas.records import AvroSchema, Identifier, Record

#: Of one touchpoint's value, as a source publishes it. It bounds what one touchpoint can cost everybody behind it.
MAX_BYTES: Final = 128 * 1024
#: Of what Touchline makes of touchpoints: the brokers' limit (topics.MAX_MESSAGE_BYTES) with room for key and framing.
MAX_OWN_BYTES: Final = 2304 * 1024 - 16 * 1024
MARKER: Final = b"\xc3\x01"
HEADER_BYTES: Final = 10
CONFLUENT_HEADER_BYTES: Final = 5  #: 00 and the schema id, big-endian
#: Below this size a datum cannot describe enough empty items to matter; above it is walked before decoding.
UNWALKED_BYTES: Final = 4096


_CURRENT = {name: parsed(schema) for name, schema in current().items()}
_READ = {name: reader(schema) for name, schema in current().items()}
_WRITE = {name: writer(schema) for name, schema in current().items()}
_HEADERS = {name: MARKER + fingerprint_of(schema) for name, schema in current().items()}
#: Every schema that a record may have been written with, by its fingerprint.
RELEASED: Final = writers()
_NEWEST = {name: RELEASED[mark[len(MARKER) :]].parsed for name, mark in _HEADERS.items()}

_WHOSE = beginning(current()["ResolvedTouchpoint"], "touchpoint", "identifiers")

_SHORT: Final = tuple(bytes((2 * number,)) for number in range(64))  #: how small numbers are written
#: 14 bits of a longer number as two bytes, when more follow; and its last 14 bits. One look-up replaces two rounds.
_TWO_MORE: Final = tuple(bytes((low & 0x7F | 0x80, low >> 7 | 0x80)) for low in range(1 << 14))
_LAST: Final = tuple(
    bytes((low,)) if low < 0x80 else bytes((low & 0x7F | 0x80, low >> 7)) for low in range(1 << 14)
)

#: Reads an encoded Touchpoint or ResolvedTouchpoint: its name and the record, as `decode` returns them. Returns None
#: for whatever it does not cover, also for bytes that are no such record.
TouchpointReader = Callable[[bytes], tuple[str, Record] | None]
_TOUCHPOINTS: Final = ("Touchpoint", "ResolvedTouchpoint")
_touchpoint_reader: list[TouchpointReader] = []  #: the one that is in use, if any

#: Confluent schema id → the schema registered under it, as `foreign_schema` returns it. Raises ContractError.
SchemaById = Callable[[int], dict[str, Any]]


def read_touchpoints_by(reader: TouchpointReader | None) -> None:
    """Let `decode` and `decode_own` try a reader of touchpoints first, in this process; None for no such reader."""
    _touchpoint_reader[:] = [] if reader is None else [reader]


def encode(name: str, record: Mapping[str, Any]) -> bytes:
    """Encode a record of schema `name`. Raises ContractError (INVALID) if it does not fit the schema."""
    try:
        return _HEADERS[name] + _WRITE[name](record)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise ContractError(Reason.INVALID, f"not a {name}: {error}") from error


def header(name: str) -> bytes:
    """The first 10 bytes of every current single object of schema `name`."""
    return _HEADERS[name]


def is_a(name: str, data: bytes) -> bool:
    """Whether the header of `data` names any released version of schema `name`. The datum is not read."""
    writer = RELEASED.get(data[2:HEADER_BYTES])
    return writer is not None and writer.name == name and data[:2] == MARKER


def name_of(data: bytes) -> str:
    """The record name that the header of `data` states. Raises ContractError (UNDECODABLE)."""
    return _writer(data).name


def decode(data: bytes | None, schema_by_id: SchemaById | None = None) -> tuple[str, Record]:
    """Decode a single object, or a Confluent-framed Touchpoint if `schema_by_id` is given.

    Returns the record's name and the record as the current schema describes it. Raises ContractError, and
    only that, for whatever bytes: reason TOO_LARGE over the limits above or the contract's counts, else UNDECODABLE.
    """
    if data is None:
        raise ContractError(Reason.UNDECODABLE, "the record has no value")
    for read in _touchpoint_reader:
        found = read(data)
        if found is not None:
            return found
    if len(data) > MAX_BYTES and (len(data) > MAX_OWN_BYTES or _is_foreign(data)):
        raise ContractError(Reason.TOO_LARGE, f"the record has {len(data)} bytes, the limit is {MAX_BYTES}")
    if data[:1] == b"\x00" and schema_by_id is not None:
        return "Touchpoint", _decode_confluent(data, schema_by_id)
    writer = _writer(data)
    return writer.name, _read(writer.name, writer.parsed, data, HEADER_BYTES)


def decode_as(name: str, data: bytes | None) -> Record:
    """Decode a single object that must be a `name`. Raises ContractError."""
    found, record = decode(data)
    if found != name:
        raise ContractError(Reason.UNDECODABLE, f"expected a {name}, found a {found}")
    return record


def decode_own(name: str, data: bytes) -> Record:
    """Decode a `name` that this process wrote or has decoded before: without the checks against hostile bytes."""
    if data.startswith(_HEADERS[name]):
        if name in _TOUCHPOINTS:
            for read in _touchpoint_reader:
                found = read(data)
                if found is not None:
                    return found[1]
        return _READ[name](data[HEADER_BYTES:])
    return decode_as(name, data)  # an earlier release wrote it


def identifiers_of(data: bytes) -> tuple[str, list[Identifier]]:
    """Tenant and identifiers of a current ResolvedTouchpoint, the owner first, without decoding the rest.

    Raises ContractError (UNDECODABLE); what follows the identifiers is not looked at.
    """
    try:
        record = _WHOSE(data[HEADER_BYTES:])
    except Exception as error:
        # as in _read
        raise ContractError(Reason.UNDECODABLE, f"not a ResolvedTouchpoint: {error}") from error
    touchpoint = record["touchpoint"]
    return touchpoint["tenant"], [record["identifier"], *touchpoint["identifiers"]]


def decode_item(name: str, field: str, data: bytes) -> Record:
    """Decode one bare item of an array field of record `name`, that this process wrote."""
    return _item_reader(name, field)(data)


@cache
def _item_reader(name: str, field: str) -> Read:
    fields = {part["name"]: part["type"] for part in current()[name]["fields"]}
    return reader(fields[field]["items"])


def string_bytes(text: str) -> bytes:
    """Avro's string: its length in bytes, then UTF-8."""
    raw = text.encode()
    length = len(raw)
    return (_SHORT[length] if length < 64 else long_bytes(length)) + raw


def take_long(data: bytes, at: int) -> tuple[int, int]:
    """The long that begins at offset `at`, and the offset after it. Raises IndexError if the bytes end within it."""
    rest = shift = 0
    while (byte := data[at]) & 0x80:
        rest |= (byte & 0x7F) << shift
        shift += 7
        at += 1
    rest |= byte << shift
    return (rest >> 1) ^ -(rest & 1), at + 1


def skip_string(data: bytes, at: int) -> int:
    """The offset after the string that begins at offset `at`. Raises IndexError."""
    length, start = take_long(data, at)
    return start + length


def long_bytes(number: int) -> bytes:
    """Avro's long: zigzag, then 7 bits a byte, least significant first."""
    if 0 <= number < 64:
        return _SHORT[number]
    rest = (number << 1) ^ (number >> 63)
    encoded = b""
    while rest > 0x3FFF:
        encoded += _TWO_MORE[rest & 0x3FFF]
        rest >>= 14
    return encoded + _LAST[rest]


def _writer(data: bytes) -> WriterSchema:
    if data[:2] != MARKER:
        raise ContractError(
            Reason.UNDECODABLE, "not Avro single-object encoding: the first two bytes are not C3 01"
        )
    writer = RELEASED.get(data[2:HEADER_BYTES])
    if writer is None:
        raise ContractError(Reason.UNDECODABLE, f"unknown schema fingerprint {data[2:HEADER_BYTES].hex()}")
    return writer


def _is_foreign(data: bytes) -> bool:
    """Whether a record comes from a source, judged by its first bytes."""
    return data[:2] != MARKER or _writer(data).name == "Touchpoint"


def foreign_schema(schema: AvroSchema) -> dict[str, Any]:
    """Check a schema of the registry and prepare it for `decode`.

    Raises ContractError (UNDECODABLE) if it is dangerous, not Avro, or has times in another unit than milliseconds.
    """
    check_schema(schema)
    if not isinstance(schema, dict):
        raise ContractError(Reason.UNDECODABLE, "the registered schema is not a record")
    for field in schema.get("fields", ()):
        unit = field["type"].get("logicalType") if isinstance(field["type"], dict) else None
        if field.get("name") in ("occurred_at", "received_at") and unit not in (None, "timestamp-millis"):
            raise ContractError(
                Reason.UNDECODABLE, f"{field['name']} is registered as {unit}, not timestamp-millis"
            )
    try:
        return dict(parsed(schema))
    except Exception as error:
        # fastavro raises a dozen types for what is not Avro; every one of them means the same here
        raise ContractError(Reason.UNDECODABLE, f"the registered schema is not Avro: {error}") from error


def _decode_confluent(data: bytes, schema_by_id: SchemaById) -> Record:
    if len(data) < CONFLUENT_HEADER_BYTES:
        raise ContractError(Reason.UNDECODABLE, "Confluent framing is cut off: no schema id")
    parsed = schema_by_id(int.from_bytes(data[1:CONFLUENT_HEADER_BYTES], "big"))
    return _read("Touchpoint", parsed, data, CONFLUENT_HEADER_BYTES)


def _read(name: str, parsed: AvroSchema, data: bytes, start: int) -> Record:
    if len(data) > UNWALKED_BYTES:
        check_bounds(parsed, data, start)
    try:
        if parsed is _NEWEST[name]:
            return _READ[name](data[start:])
        buffer = BytesIO(data)
        buffer.seek(start)
        record = schemaless_reader(buffer, parsed, _CURRENT[name])
    except Exception as error:
        # either library raises a dozen types for hostile bytes; every one of them means the same here
        raise ContractError(Reason.UNDECODABLE, f"not a {name}: {type(error).__name__}: {error}") from error
    if buffer.tell() != len(data):
        raise ContractError(
            Reason.UNDECODABLE, f"{len(data) - buffer.tell()} bytes left over after the {name}"
        )
    return record  # type: ignore[no-any-return]
