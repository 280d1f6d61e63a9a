"""Schema compatibility: the Avro project's checker compares a changed schema with every committed version.

A public topic's records must be readable both ways by every version (FULL_TRANSITIVE: subscribers upgrade
when they like). Elsewhere the current schema must read every committed version (BACKWARD: consumers first).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from schemas.encoding.registry import parts_of
from schemas.records import AvroSchema
from schemas.topics import ALL, Topic


class Mode(StrEnum):
    """Which versions must be able to read which."""

    FULL_TRANSITIVE = "FULL_TRANSITIVE"  #: every version reads every other
    BACKWARD = "BACKWARD"  #: the current schema reads every committed version


@dataclass(frozen=True)
class RecordReport:
    """The result of the check of one record. `problems` are sentences; it is empty if the change may be released."""

    name: str
    mode: Mode
    versions: int
    problems: tuple[str, ...]


def carriers(name: str) -> list[Topic]:
    """The topics that carry a record: as a value, or as a part of a value."""
    return [topic for topic in ALL if any(name == value or name in parts_of(value) for value in topic.values)]


def mode_of(name: str) -> Mode:
    """FULL_TRANSITIVE for a record that a public topic carries, BACKWARD for every other record."""
    return Mode.FULL_TRANSITIVE if any(topic.public for topic in carriers(name)) else Mode.BACKWARD


def report(name: str, current: Mapping[str, Any], committed: Sequence[Mapping[str, Any]]) -> RecordReport:
    """Check one record's current schema against its committed versions, oldest first."""
    mode = mode_of(name)
    problems = [] if is_committed(current, committed) else [_not_frozen(name, committed)]
    for number, version in enumerate(committed, start=1):
        problems += [
            f"{name}: the current schema cannot read version {number}: {why}"
            for why in clashes(current, version)
        ]
        if mode is Mode.FULL_TRANSITIVE:
            problems += [
                f"{name}: version {number} cannot read the current schema: {why}"
                for why in clashes(version, current)
            ]
    return RecordReport(name, mode, len(committed), tuple(problems))


def is_committed(current: Mapping[str, Any], committed: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the current schema, documentation aside, is among the committed versions."""
    return any(without_docs(version) == without_docs(current) for version in committed)


def clashes(reader: Mapping[str, Any], writer: Mapping[str, Any]) -> list[str]:
    """Why data of `writer` cannot be read as `reader`; empty if it can."""
    result = ReaderWriterCompatibilityChecker().get_compatibility(
        avro.schema.parse(json.dumps(reader)), avro.schema.parse(json.dumps(writer))
    )
    if result.compatibility is SchemaCompatibilityType.compatible:
        return []
    return sorted(result.messages) or ["the Avro checker gives no reason"]


def without_docs(schema: AvroSchema) -> AvroSchema:
    """The schema without its documentation, which changes nothing on the wire."""
    if isinstance(schema, list):
        return [without_docs(item) for item in schema]
    if isinstance(schema, Mapping):
        return {key: without_docs(value) for key, value in schema.items() if key != "doc"}
    return schema


def freeze(
    name: str, current: Mapping[str, Any], committed: Sequence[Mapping[str, Any]], versions: Path
) -> Path | None:
    """Write the current schema as the record's next version; None if it is already committed."""
    if is_committed(current, committed):
        return None
    path = versions / name / f"{len(committed) + 1}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(current, ensure_ascii=False, indent=1) + "\n")
    return path


def _not_frozen(name: str, committed: Sequence[Mapping[str, Any]]) -> str:
    state = "differs from every committed version" if committed else "has no committed version"
    return f"{name}: the current schema {state}: run `touchline schemas freeze` and commit the file"
