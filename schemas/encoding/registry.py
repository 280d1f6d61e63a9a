"""The Avro schemas of `schemas/avro/` and their committed versions: names, fingerprints, order of definition."""

import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from fastavro.schema import fingerprint, to_parsing_canonical_form

from schemas.encoding.datum import parsed
from schemas.records import AvroSchema

HERE = Path(__file__).parents[1]
AVRO = HERE / "avro"
VERSIONS = HERE / "versions"

#: In the order of definition: a schema may use the names that stand before it.
NAMES = (
    "Identifier",
    "Touchpoint",
    "IdentityLink",
    "IdentityCorrection",
    "IdentityAssignment",
    "DecidedUnder",
    "ProfileChanged",
    "ResolvedTouchpoint",
    "Move",
    "FoldSummary",
    "FrozenSummary",
    "Transfer",
    "Erase",
    "JourneyState",
    "JourneySignal",
    "SignalsPublished",
    "SignalsWrittenAhead",
    "PredictionModel",
    "AccountContribution",
    "AccountState",
    "DeadLetter",
    "WebhookMessage",
    "WebhookDelivery",
    "WebhookRequest",
)

_PRIMITIVES = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}


@dataclass(frozen=True)
class WriterSchema:
    """One version of one record: a schema that some producer may have written with."""

    name: str
    fingerprint: bytes  #: 8 bytes, CRC-64-AVRO of the parsing canonical form, little-endian as on the wire
    schema: dict[str, Any]

    @cached_property
    def parsed(self) -> AvroSchema:
        """The schema as fastavro reads by it."""
        return parsed(self.schema)


def _self_contained(schema: Any, known: dict[str, Any], seen: set[str]) -> Any:
    """Replace the first use of each named type by its definition, later ones by the full name."""
    if isinstance(schema, list):
        return [_self_contained(branch, known, seen) for branch in schema]
    if isinstance(schema, str):
        if schema in _PRIMITIVES:
            return schema
        name = schema if "." in schema else f"touchline.{schema}"
        return name if name in seen else _self_contained(known[name], known, seen)
    result = dict(schema)
    if schema["type"] in ("record", "enum", "fixed"):
        result["namespace"] = "touchline"
        seen.add(f"touchline.{schema['name']}")
    if schema["type"] == "record":
        result["fields"] = [{**f, "type": _self_contained(f["type"], known, seen)} for f in schema["fields"]]
    elif schema["type"] == "array":
        result["items"] = _self_contained(schema["items"], known, seen)
    elif schema["type"] == "map":
        result["values"] = _self_contained(schema["values"], known, seen)
    return result


def _named(schema: Any, into: dict[str, Any]) -> None:
    """Collect every named type defined anywhere inside a schema."""
    if isinstance(schema, list):
        for branch in schema:
            _named(branch, into)
    elif isinstance(schema, dict):
        if schema["type"] in ("record", "enum", "fixed"):
            into[f"touchline.{schema['name']}"] = schema
        for field in schema.get("fields", []):
            _named(field["type"], into)
        for inner in ("items", "values"):
            if inner in schema:
                _named(schema[inner], into)
        if isinstance(schema["type"], dict):
            _named(schema["type"], into)


@cache
def current() -> dict[str, dict[str, Any]]:
    """Name → current, self-contained schema of every record."""
    known: dict[str, Any] = {}
    raw: dict[str, Any] = {}
    for name in NAMES:
        raw[name] = json.loads((AVRO / f"{name}.avsc").read_text())
        _named(raw[name], known)
    return {name: _self_contained(schema, known, set()) for name, schema in raw.items()}


@cache
def parts_of(name: str) -> frozenset[str]:
    """The other records of `schemas/avro` that a record contains, at any depth.

    A field contains a record if its type is that record, or if it holds the record's encoded bytes. The attribute
    `encodes` of a field of type bytes names such a record.
    """
    named: dict[str, Any] = {}
    _named(current()[name], named)
    inner = {full.removeprefix("touchline.") for full in named} & set(NAMES)
    for schema in named.values():
        inner.update(field["encodes"] for field in schema.get("fields", ()) if "encodes" in field)
    inner.discard(name)
    return frozenset(inner).union(*(parts_of(part) for part in inner))


@cache
def committed(name: str) -> tuple[dict[str, Any], ...]:
    """The released versions of a record, oldest first; the newest may equal the current schema."""
    files = sorted((VERSIONS / name).glob("*.json"), key=lambda path: int(path.stem))
    return tuple(json.loads(path.read_text()) for path in files)


def fingerprint_of(schema: dict[str, Any]) -> bytes:
    """CRC-64-AVRO of the parsing canonical form, as the 8 bytes on the wire (Avro 1.12, "Schema Fingerprints")."""
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


@cache
def writers() -> dict[bytes, WriterSchema]:
    """Every schema that a record may have been written with, by its fingerprint."""
    found: dict[bytes, WriterSchema] = {}
    for name, schema in current().items():
        for version in (*committed(name), schema):
            mark = fingerprint_of(version)
            found[mark] = WriterSchema(name, mark, version)
    return found
