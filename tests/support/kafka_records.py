"""Builders of Kafka records for the loader's tests."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from schemas.encoding.record_types import RESOLVED_TOUCHPOINT
from schemas.records import Record
from tests.support.ids import named_id, person
from tests.support.touchpoints import touchpoint

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"


class Consumed(NamedTuple):
    """What the loader sees of a Kafka record."""

    value: bytes | None = b""
    key: bytes | None = f"default/{person('p1')}".encode()
    offset: int = 7
    topic: str = "a-topic"
    partition: int = 2
    timestamp: int = 1_767_225_600_000
    headers: tuple[tuple[str, bytes], ...] = ()


def example(name: str) -> Record:
    """The committed example of a record; Avro's JSON writes bytes as Latin-1 text."""
    record: Record = json.loads((EXAMPLES / f"{name}.json").read_text())
    if name == "DeadLetter":
        record["key"], record["value"] = record["key"].encode("latin-1"), record["value"].encode("latin-1")
        for header in record["headers"]:
            header["value"] = header["value"] and header["value"].encode("latin-1")
    return record


def resolved(event_id: str = "e1", *, profile: str = "p1", version: int = -1, **fields: Any) -> Record:
    """A ResolvedTouchpoint of a person; `fields` are those of tests.support.touchpoints.touchpoint."""
    event = touchpoint(event_id, **fields)
    return {
        "identifier": event["identifiers"][0],
        "profile_id": person(profile),
        "version": version,
        "touchpoint": event,
    }


def resolved_bytes(event_id: str = "e1", **fields: Any) -> bytes:
    return RESOLVED_TOUCHPOINT.encode(resolved(event_id, **fields))


def assignment(value: str, profile: str, version: int, **fields: Any) -> Record:
    return {
        "tenant": "default",
        "identifier": {"type": "cookie", "value": value},
        "profile_id": person(profile),
        "contested_from": None,
        "contested_profile_id": None,
        "version": version,
        "event_id": "e1",
        "occurred_at": 0,
        **fields,
    }


def journey(profile: str, version: int, **fields: Any) -> Record:
    return {**example("JourneyState"), "profile_id": person(profile), "version": version, **fields}


def signal(name: str, version: int, status: str = "RAISED") -> Record:
    return {**example("JourneySignal"), "signal_id": named_id(name), "version": version, "status": status}
