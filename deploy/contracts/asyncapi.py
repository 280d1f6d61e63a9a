"""The public topics as an AsyncAPI 3.0 document: a channel a topic, a message a record, all from `schemas/`.

The committed copies docs/asyncapi.json and docs/asyncapi.html describe a deployment with default settings;
`touchline schemas asyncapi` describes the deployment that it is run in.
"""

import json
from typing import Any, Final

from schemas.encoding.compatibility import mode_of
from schemas.encoding.registry import AVRO, committed, current, fingerprint_of
from schemas.records import AvroSchema
from schemas.settings import Settings
from schemas.topics import ALL, DAY_MS, IDENTITY_ASSIGNMENTS, Topic

#: The version of AsyncAPI, of its Kafka binding and of the Avro that its schema format names.
ASYNCAPI: Final = "3.0.0"
BINDING: Final = "0.5.0"
AVRO_FORMAT: Final = "application/vnd.apache.avro;version=1.9.0"
#: The version of this document: the highest number under schemas/versions decides about records, this about the rest.
DOCUMENT_VERSION: Final = "1.0.0"

#: What a topic is for, in a sentence.
PURPOSES: Final = {
    "touchpoints": "What happened: sources write it, Touchline reads it. Copies of an event count once.",
    "identity-assignments": "Who owns an identifier now. Of one key the highest version counts.",
    "profile-changes": "Profiles that merged, split or were erased, and why. Copies have the same change_id.",
    "journey-states": "Where a person is in their journey now. Of one key the highest version counts.",
    "journey-signals": "What a service may act on now, and what no longer holds."
    " Of one signal_id the highest version counts, of equal ones the one that was read last.",
    "account-states": "Where a business customer is now. Of one key the highest version counts.",
}
_INTRODUCTION: Final = """\
Records are Avro single objects: the bytes C3 01, the 8 bytes of the schema's fingerprint (`x-avro-fingerprints`), the
datum. Keys are UTF-8. Records of one key are in one partition; their order is not their age: compare versions. What may
change, for how long and how you learn of it: docs/compatibility.md."""


def public_topics() -> list[Topic]:
    """The topics that others may rely on, in the order of schemas/topics.py."""
    return [topic for topic in ALL if topic.public]


def document(settings: Settings) -> dict[str, Any]:
    """The AsyncAPI document of a deployment; only its topic prefix, brokers, partitions and replication matter."""
    topics = public_topics()
    return {
        "asyncapi": ASYNCAPI,
        "id": "urn:touchline:public-topics",
        "info": {
            "title": "Touchline: public topics",
            "version": DOCUMENT_VERSION,
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0"},
            "tags": [{"name": "customer journeys"}],
        },
        "defaultContentType": "avro/binary",
        "servers": {
            f"broker-{number}": {
                "host": address.strip(),
                "protocol": "kafka",
                "description": "A bootstrap server.",
            }
            for number, address in enumerate(settings.brokers.split(","), start=1)
        },
        "channels": {_camel(topic.name): _channel(topic, settings) for topic in topics},
        "operations": {_operation_id(topic): _operation(topic) for topic in topics},
        "components": {
            "messages": {name: message for topic in topics for name, message in _messages(topic).items()}
        },
    }


def text(settings: Settings) -> str:
    """The document as JSON, as it is committed."""
    return json.dumps(document(settings), ensure_ascii=False, indent=1) + "\n"


def retention(topic: Topic) -> str:
    """How long Kafka keeps the records of a topic, as a sentence."""
    if topic.retention_ms is None:
        return "Compacted: the newest record of each key stays; a tombstone stays for a day after its compaction."
    return f"Records stay for {topic.retention_ms // DAY_MS} days."


def has_tombstones(topic: Topic) -> bool:
    """Whether records without a value are part of the contract of a topic."""
    return topic.compacted


def _channel(topic: Topic, settings: Settings) -> dict[str, Any]:
    config: dict[str, Any] = {"cleanup.policy": ["compact" if topic.compacted else "delete"]}
    if topic.retention_ms is None:
        config["delete.retention.ms"] = int(topic.config()["delete.retention.ms"])
    else:
        config["retention.ms"] = topic.retention_ms
    config["max.message.bytes"] = int(topic.config()["max.message.bytes"])
    return {
        "address": settings.topic(topic.name),
        "title": topic.name,
        "description": f"{PURPOSES[topic.name]} {retention(topic)}",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages(topic)},
        "bindings": {
            "kafka": {
                "topic": settings.topic(topic.name),
                "partitions": settings.partitions,
                "replicas": settings.replication,
                "topicConfiguration": config,
                "bindingVersion": BINDING,
            }
        },
        "x-key": topic.key,
        "x-compatibility": mode_of(topic.values[0]).value,
        "x-written-by": list(topic.written_by),
    }


def _operation_id(topic: Topic) -> str:
    return f"{_action(topic)}{_camel(topic.name)[0].upper()}{_camel(topic.name)[1:]}"


def _action(topic: Topic) -> str:
    """What Touchline does with a topic. Its clients do the opposite."""
    return "receive" if "sources" in topic.written_by else "send"


def _operation(topic: Topic) -> dict[str, Any]:
    channel = f"#/channels/{_camel(topic.name)}"
    opposite = "Sources write" if _action(topic) == "receive" else "Subscribers read"
    return {
        "action": _action(topic),
        "channel": {"$ref": channel},
        "summary": f"{opposite} {topic.name}.",
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in _messages(topic)],
    }


def _messages(topic: Topic) -> dict[str, dict[str, Any]]:
    """The messages of a topic by name: its record, and the tombstone if there is one."""
    (record,) = topic.values
    found = {record: _message(topic, record)}
    if has_tombstones(topic):
        found[f"{record}Tombstone"] = _tombstone(topic, record)
    return found


def _message(topic: Topic, record: str) -> dict[str, Any]:
    schema = current()[record]
    example = json.loads((AVRO.parent / "examples" / f"{record}.json").read_text(encoding="utf-8"))
    return {
        "name": record,
        "title": record,
        "summary": schema["doc"],
        "contentType": "avro/binary",
        "payload": {"schemaFormat": AVRO_FORMAT, "schema": schema},
        "bindings": {"kafka": _key(topic)},
        "examples": [{"name": "example", "payload": example}],
        "x-avro-encoding": "single-object",
        "x-avro-fingerprints": fingerprints(record),
    }


def fingerprints(record: str) -> dict[str, str]:
    """Version of a record, from 1 → the fingerprint of its schema as the 8 bytes on the wire, in hexadecimal."""
    return {
        str(number): fingerprint_of(schema).hex() for number, schema in enumerate(committed(record), start=1)
    }


def _tombstone(topic: Topic, record: str) -> dict[str, Any]:
    headers: dict[str, AvroSchema] = {
        "version": {"type": "string", "pattern": "^[0-9]{1,19}$", "description": "Its version, in decimal."}
    }
    if topic is IDENTITY_ASSIGNMENTS:
        headers["assignment"] = {
            "type": "string",
            "description": "The encoded IdentityAssignment of the erased identifier: bytes, not text.",
        }
    return {
        "name": f"{record}Tombstone",
        "title": f"{record}: gone",
        "summary": f"A record without a value: there is no {record} of this key any more, as of this version.",
        "headers": {"type": "object", "required": ["version"], "properties": headers},
        "payload": {"type": "null"},
        "bindings": {"kafka": _key(topic)},
    }


def _key(topic: Topic) -> dict[str, Any]:
    return {"key": {"type": "string", "description": topic.key}, "bindingVersion": BINDING}


def _camel(name: str) -> str:
    first, *rest = name.split("-")
    return first + "".join(word.capitalize() for word in rest)
