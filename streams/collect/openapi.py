"""The OpenAPI 3.1 document of the collector; a touchpoint's fields are read from its Avro schema."""

import json
from importlib.resources import files
from typing import Any, Final

from schemas.dead_letters import VERSION
from schemas.errors import Reason
from schemas.touchpoint.rules import (
    MAX_ATTRIBUTES,
    MAX_CHANNEL_BYTES,
    MAX_ID_BYTES,
    MAX_IDENTIFIERS,
    MAX_NAME_BYTES,
)
from streams.collect import posthog, segment
from streams.collect.cloudevents import BATCHED, STRUCTURED
from streams.collect.limits import Limits
from streams.collect.plain import NDJSON

_TEXT: Final[dict[str, Any]] = {"type": ["string", "integer"]}
_MAYBE: Final[dict[str, Any]] = {"type": ["string", "integer", "null"]}
_NAMED_TEXTS: Final[dict[str, Any]] = {
    "type": ["object", "null"],
    "maxProperties": MAX_ATTRIBUTES,
    "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
}
_TIME: Final[dict[str, Any]] = {"oneOf": [{"type": "string", "format": "date-time"}, {"type": "integer"}]}
_LIKE_SEGMENT: Final = "Kafka has the events, and dead letters about those that could not be taken."
_REASON: Final = {"type": "string", "enum": [reason.value for reason in Reason]}
_LIMITED: Final = {
    "event_id": MAX_ID_BYTES, "type": MAX_NAME_BYTES, "source": MAX_NAME_BYTES, "channel": MAX_CHANNEL_BYTES,
}  # fmt: skip


def document(limits: Limits) -> dict[str, Any]:
    """What is served at /openapi.json."""
    calls = sorted(call for call, kind in segment.CALLS.items() if kind is not None)
    batches = sorted(call for call, kind in segment.CALLS.items() if kind is None)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Touchline collector",
            "version": VERSION,
            "description": "Events over HTTP. A 2xx answer says that Kafka has acknowledged what was taken.",
        },
        "security": [{"basic": []}, {"bearer": []}],
        "paths": {
            "/v1/touchpoints": {"post": _touchpoints(limits)},
            **{f"/v1/{call}": {"post": _segment(call, "Message")} for call in calls},
            **{f"/v1/{call}": {"post": _segment(call, "Batch")} for call in batches},
            "/v1/cloudevents": {"post": _cloudevents()},
            **{path: {"post": _posthog(path)} for path in posthog.PATHS},
            "/com.snowplowanalytics.snowplow/tp2": {"post": _snowplow_post()},
            "/i": {"get": _snowplow_get()},
            "/v1/projects/{write_key}/settings": {"get": _browser_settings()},
            "/health": {"get": _probe("health", "The process runs.")},
            "/ready": {"get": _probe("ready", "The broker takes records.")},
            "/openapi.json": {"get": _probe("openapi", "This document.")},
        },
        "components": {
            "schemas": _schemas(limits),
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic", "description": "The user is the write key."},
                "bearer": {"type": "http", "scheme": "bearer", "description": "The write key."},
            },
            "responses": {
                "Problem": {
                    "description": "Refused as a whole: nothing was taken, unless the text says so.",
                    "content": {
                        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
                    },
                }
            },
        },
    }


def _touchpoints(limits: Limits) -> dict[str, Any]:
    return {
        "operationId": "publish",
        "summary": "Touchpoints as JSON: one, an array, or one a line",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "oneOf": [
                            {"$ref": "#/components/schemas/Touchpoint"},
                            {
                                "type": "array",
                                "items": {"$ref": "#/components/schemas/Touchpoint"},
                                "maxItems": limits.items,
                            },
                        ]
                    }
                },
                **{
                    name: {"schema": {"type": "string", "description": "A touchpoint on each line."}}
                    for name in sorted(NDJSON)
                },
            },
        },
        "responses": _item_results(),
    }


def _segment(call: str, schema: str) -> dict[str, Any]:
    media = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    return {
        "operationId": f"segment_{call}",
        "summary": "Segment's HTTP tracking API",
        "requestBody": {"required": True, "content": {"application/json": media, "text/plain": media}},
        "responses": {
            "200": {
                "description": _LIKE_SEGMENT,
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Success"}}},
            },
            **_problems(),
        },
    }


def _cloudevents() -> dict[str, Any]:
    event = {"schema": {"$ref": "#/components/schemas/CloudEvent"}}
    batch = {"schema": {"type": "array", "items": {"$ref": "#/components/schemas/CloudEvent"}}}
    return {
        "operationId": "cloudevents",
        "summary": "CloudEvents 1.0: structured and batched; binary with ce- headers",
        "requestBody": {"required": True, "content": {STRUCTURED: event, BATCHED: batch}},
        "responses": _item_results(),
    }


def _posthog(path: str) -> dict[str, Any]:
    schema = {"anyOf": [{"type": "object"}, {"type": "array", "items": {}}]}
    return {
        "operationId": "posthog" + path.replace("/", "_"),
        "summary": "PostHog's capture API",
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "200": {
                "description": _LIKE_SEGMENT,
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            **_problems(),
        },
    }


def _snowplow_post() -> dict[str, Any]:
    schema = {
        "type": "object",
        "required": ["data"],
        "properties": {
            "data": {"type": "array", "items": {}, "description": "Events, by the tracker protocol v2."}
        },
    }
    return {
        "operationId": "snowplow_post",
        "summary": "Snowplow's tracker protocol; `aid` is the write key where no header has it",
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "200": {"description": _LIKE_SEGMENT, "content": {"text/plain": {"schema": {"type": "string"}}}},
            **_problems(),
        },
    }


def _snowplow_get() -> dict[str, Any]:
    return {
        "operationId": "snowplow_get",
        "summary": "One event of Snowplow's tracker protocol in the query",
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string"}} for name in ("e", "eid", "aid")
        ],
        "responses": {
            "200": {"description": _LIKE_SEGMENT, "content": {"image/gif": {"schema": {"type": "string"}}}},
            **_problems(),
        },
    }


def _item_results() -> dict[str, Any]:
    results = {"application/json": {"schema": {"$ref": "#/components/schemas/Results"}}}
    return {
        "200": {"description": "Kafka has all of them.", "content": results},
        "207": {
            "description": "Kafka has those that are accepted; the others say why not.",
            "content": results,
        },
        "422": {"description": "None could be taken; each says why.", "content": results},
        **_problems(),
    }


def _probe(name: str, description: str) -> dict[str, Any]:
    return {
        "operationId": name,
        "security": [],
        "responses": {
            "200": {
                "description": description,
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
            **({"503": {"$ref": "#/components/responses/Problem"}} if name == "ready" else {}),
        },
    }


def _browser_settings() -> dict[str, Any]:
    return {
        "operationId": "browserSettings",
        "summary": "Where a page's @segment/analytics-next sends, when its cdnURL is this collector.",
        "security": [],
        "parameters": [
            {
                "name": "write_key",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "minLength": 1},
            }
        ],
        "responses": {
            "200": {
                "description": "The settings of the write key.",
                "content": {"application/json": {"schema": {"type": "object", "required": ["integrations"]}}},
            },
            **{status: answer for status, answer in _problems().items() if status in ("400", "401", "403")},
        },
    }


def _problems() -> dict[str, Any]:
    return {
        status: {"$ref": "#/components/responses/Problem"}
        for status in ("400", "401", "403", "408", "413", "415", "429", "500", "503")
    }


def _schemas(limits: Limits) -> dict[str, Any]:
    return {
        "Touchpoint": _touchpoint(),
        "Message": {
            "type": "object",
            "description": "A message of Segment's specification; properties as there.",
            "properties": {
                "writeKey": {"type": ["string", "null"]},
                "sentAt": {"description": "By the client's clock, which is corrected by it."},
                "messageId": {"description": "The event's id: a retry must repeat it."},
            },
        },
        "Batch": {
            "type": "object",
            "required": ["batch"],
            "properties": {
                "batch": {"type": "array", "items": {}, "maxItems": limits.items},
                "writeKey": {"type": ["string", "null"]},
            },
        },
        "CloudEvent": {
            "type": "object",
            "required": ["specversion", "id", "source", "type"],
            "properties": {
                "specversion": {"const": "1.0"},
                "id": {"type": "string", "minLength": 1},
                "source": {"type": "string", "minLength": 1},
                "type": {"type": "string", "minLength": 1},
                "time": {"type": "string", "format": "date-time"},
                "subject": {"description": "The user id."},
                "data": {"type": ["object", "null"]},
            },
        },
        "Success": {
            "type": "object",
            "required": ["success"],
            "properties": {"success": {"const": True}, "dead_letters": {"type": "integer", "minimum": 1}},
        },
        "Results": {
            "type": "object",
            "required": ["accepted", "rejected", "results"],
            "properties": {
                "accepted": {"type": "integer", "minimum": 0},
                "rejected": {"type": "integer", "minimum": 0},
                "results": {"type": "array", "items": {"$ref": "#/components/schemas/Result"}},
            },
        },
        "Result": {
            "type": "object",
            "required": ["event_id", "status"],
            "properties": {
                "event_id": {"type": ["string", "null"]},
                "status": {"enum": ["accepted", "rejected"]},
                "reason": _REASON,
                "error": {"type": "string"},
            },
        },
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status", "detail", "code"],
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "code": {"type": "string"},
                "message": {"type": "string"},
            },
        },
    }


def _touchpoint() -> dict[str, Any]:
    """The JSON form that schemas/touchpoint/json_form.py reads, with the descriptions of Touchpoint.avsc."""
    schema = files("schemas").joinpath("avro", "Touchpoint.avsc").read_text(encoding="utf-8")
    properties = {
        field["name"]: {**_shape(field), "description": field.get("doc", "")}
        for field in json.loads(schema)["fields"]
        if field["name"] not in ("tenant", "received_at", "source")
    }
    for name in ("tenant", "received_at", "source"):
        properties[name] = {
            "type": ["string", "integer", "null"],
            "description": "Leave it out: the collector and the write key say it.",
        }
    return {
        "type": "object",
        "required": ["event_id", "occurred_at", "channel", "type", "identifiers"],
        "additionalProperties": False,
        "properties": properties,
    }


def _shape(field: dict[str, Any]) -> dict[str, Any]:
    name, kind = field["name"], field["type"]
    if name == "identifiers":
        one = {
            "type": "object",
            "required": ["type", "value"],
            "additionalProperties": False,
            "properties": {"type": _TEXT, "value": _TEXT},
        }
        values = {
            "oneOf": [
                *({"type": one} for one in ("string", "integer", "null")),
                {"type": "array", "items": _TEXT},
            ]
        }
        return {
            "oneOf": [
                {"type": "array", "minItems": 1, "maxItems": MAX_IDENTIFIERS, "items": one},
                {"type": "object", "additionalProperties": values},
            ]
        }
    if name == "occurred_at":
        return _TIME
    if name in ("attributes", "experiments"):
        return _NAMED_TEXTS
    if name == "consent":
        decisions = {"type": "string", "pattern": "^(?i:granted|denied|revoked)$"}
        return {"type": ["object", "null"], "additionalProperties": decisions}
    if name == "score":
        return {
            "type": ["object", "null"],
            "required": ["kind", "value"],
            "properties": {
                "kind": {"enum": ["nps", "csat", "ces", "NPS", "CSAT", "CES"]},
                "value": {"type": "number"},
            },
        }
    if name == "link":
        return {"enum": ["observed", "asserted", "OBSERVED", "ASSERTED", None, ""]}
    if kind == ["null", "long"] or name == "amount_minor":
        return {"type": ["integer", "null"]}
    if kind == ["null", "double"]:
        return {"type": ["number", "null"]}
    if isinstance(kind, list):
        return _MAYBE
    return {**_TEXT, "minLength": 1, "maxLength": _LIMITED.get(name, MAX_ID_BYTES)}
