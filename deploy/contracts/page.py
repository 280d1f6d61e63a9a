"""The AsyncAPI document as one HTML page for people, which needs no other file and no script.

The official template renders the same document, but as a program of megabytes that a reader's browser has to run.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from schemas.records import AvroSchema

_TEMPLATES: Final = Environment(
    loader=PackageLoader("deploy.contracts", "."),
    autoescape=True,
    undefined=StrictUndefined,
    keep_trailing_newline=True,
)


class Field(NamedTuple):
    """A row of a message's table. The name of a field within another has the other's before it, with a dot."""

    name: str
    type: str
    doc: str


def page(document: Mapping[str, Any]) -> str:
    """The page of an AsyncAPI document that `asyncapi.document` made."""
    channels = [_channel(document, *item) for item in document["channels"].items()]
    return _TEMPLATES.get_template("page.html").render(
        asyncapi=document["asyncapi"], info=document["info"], channels=channels
    )


def _channel(document: Mapping[str, Any], name: str, channel: Mapping[str, Any]) -> dict[str, Any]:
    operation = next(
        one for one in document["operations"].values() if one["channel"]["$ref"].endswith(f"/{name}")
    )
    return {
        "id": name,
        "address": channel["address"],
        "description": channel["description"],
        "action": operation["action"],
        "key": channel["x-key"],
        "compatibility": channel["x-compatibility"],
        "messages": [
            _message(document["components"]["messages"][message]) for message in channel["messages"]
        ],
    }


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: message[name] for name in ("name", "title", "summary")}
    if "headers" in message:
        headers = message["headers"]["properties"]
        return {
            **found,
            "fingerprints": {},
            "headers": {key: one["description"] for key, one in headers.items()},
        }
    return {
        **found,
        "fingerprints": message["x-avro-fingerprints"],
        "fields": list(fields(message["payload"]["schema"])),
        "example": json.dumps(message["examples"][0]["payload"], ensure_ascii=False, indent=1),
    }


def fields(schema: AvroSchema, prefix: str = "") -> Iterator[Field]:
    """The fields of a record and, below each, those of the records in it."""
    for field in schema["fields"]:
        name = prefix + field["name"]
        yield Field(name, type_of(field["type"]), field.get("doc", ""))
        for inner in _records(field["type"]):
            yield from fields(inner, f"{name}.")


def type_of(schema: AvroSchema) -> str:
    """An Avro type in words."""
    if isinstance(schema, list):
        return " or ".join(type_of(branch) for branch in schema)
    if isinstance(schema, str):
        return schema.removeprefix("touchline.")
    if schema.get("logicalType") == "timestamp-millis":
        return "UTC ms"
    match schema["type"]:
        case "array":
            return f"list of {type_of(schema['items'])}"
        case "map":
            return f"map of {type_of(schema['values'])}"
        case "enum":
            return " | ".join(schema["symbols"])
        case "record":
            return str(schema["name"])
        case inner:
            return type_of(inner)


def _records(schema: AvroSchema) -> Iterator[dict[str, Any]]:
    """The records that are defined within a type."""
    if isinstance(schema, list):
        for branch in schema:
            yield from _records(branch)
    elif isinstance(schema, dict):
        if schema["type"] == "record":
            yield schema
        for part in ("items", "values"):
            if part in schema:
                yield from _records(schema[part])
