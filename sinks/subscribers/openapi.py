"""The OpenAPI 3.1 document of the service; the fields of states are read from their Avro schemas."""

from typing import Any, Final

from schemas.dead_letters import VERSION
from schemas.encoding.registry import current
from sinks.subscribers.keys import Scope
from sinks.subscribers.limits import Limits
from sinks.subscribers.requests import FILTERS

_NAMES: Final = ("JourneyState", "AccountState")
_NUMBERS: Final = {"int": "integer", "long": "integer", "double": "number", "float": "number"}
_MS: Final = "UTC milliseconds"
_TEXT: Final[dict[str, Any]] = {"type": "string"}
_MAYBE_TIME: Final[dict[str, Any]] = {"type": ["integer", "null"], "description": _MS}


def document(limits: Limits) -> dict[str, Any]:
    """What is served at /openapi.json."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Touchline for subscribers", "version": VERSION,
            "description": "The present state of each person and account, and every change of it as server-sent"
            f" events. Times are {_MS}. docs/subscribers.md says what is promised.",
        },
        "security": [{"key": []}],
        "paths": {**_states(limits), **_history(limits), **_streams(limits), **_service()},
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": f"Scopes: {', '.join(Scope)}"}
            },
            "schemas": _schemas(),
        },
    }  # fmt: skip


def _states(limits: Limits) -> dict[str, Any]:
    waiting = [
        _fields("JourneyState"),
        _query(
            "wait", {**_TEXT, "minLength": 1}, "Wait until the state lists this event among its newest 20"
        ),
        _query(
            "within", {"type": "number", "minimum": 0, "maximum": limits.wait_seconds}, "Seconds to wait; 5"
        ),
        _header("If-None-Match", "The ETag of an answer that the client has"),
    ]
    state = _answers("Person", 304, 400, 404, 503, 409)
    identifier = [_path("type", {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"}), _path("value")]
    return {
        "/v1/profiles/{id}": {"get": _call("A person by profile id", state, [_profile_id(), *waiting])},
        "/v1/profiles/{type}/{value}": {
            "get": _call("A person by an identifier as it is said", state, [*identifier, *waiting])
        },
        "/v1/profiles:lookup": {
            "post": {
                **_call("Several people at once", _answers("People", 400, 408, 413, 415, 422, 503), []),
                "requestBody": {"required": True, "content": {"application/json": {"schema": _who(limits)}}},
            }
        },
        "/v1/accounts/{id}": {
            "get": _call(
                "A business account", _answers("Account", 304, 400, 404, 503),
                [_path("id"), _fields("AccountState"), waiting[-1]],
            )
        },
    }  # fmt: skip


def _history(limits: Limits) -> dict[str, Any]:
    limit = _query("limit", {"type": "integer", "minimum": 1, "maximum": limits.rows}, "Rows; 100")
    before = _query("before", _TEXT, "`next` of the answer before")
    calls = {
        "timeline": ("A person's touchpoints, newest first, from ClickHouse", [limit, before]),
        "signals": ("The signals that hold, newest first, from ClickHouse", [limit]),
        "evidence": ("Why identifiers are this person, from ClickHouse", [limit]),
    }
    return {
        f"/v1/profiles/{{id}}/{name}": {
            "get": _call(summary, _answers("Rows", 400, 404, 503), [_profile_id(), *parameters])
        }
        for name, (summary, parameters) in calls.items()
    }


def _streams(limits: Limits) -> dict[str, Any]:
    common = [
        _query("from", {"enum": ["now", "start"]}, "Where to begin without Last-Event-ID; now"),
        _header("Last-Event-ID", "The `id:` that was received last"),
        _many("profile", {"maxItems": limits.profiles}, "Only of these people"),
    ]
    return {
        f"/v1/streams/{name}": {
            "get": {
                **_call(
                    f"Server-sent events: {name}", {**_answers("", 400, 410, 503)},
                    [*common, *(_many(fact, {"maxItems": 50}, f"Only with one of these: {fact}") for fact in facts)],
                ),
            }
        }
        for name, facts in FILTERS.items()
    }  # fmt: skip


def _service() -> dict[str, Any]:
    health = {"200": _json("Alive", {"type": "object"})}
    return {
        "/healthz": {"get": {**_call("Whether the process lives", health, []), "security": []}},
        "/readyz": {
            "get": {
                **_call("Whether the table is up to date", {**health, "503": _json("Not yet", {"type": "object"})}, []),
                "security": [],
            }
        },
        "/openapi.json": {"get": {**_call("This document", health, []), "security": []}},
    }  # fmt: skip


def _call(summary: str, answers: dict[str, Any], parameters: list[dict[str, Any]]) -> dict[str, Any]:
    return {"summary": summary, "parameters": parameters, "responses": answers}


def _answers(schema: str, *others: int) -> dict[str, Any]:
    """The answers of a call: its own, those that it names, and those that every call has."""
    stream = {
        "description": "Events, until the client goes",
        "content": {"text/event-stream": {"schema": _TEXT}},
    }
    found = {"200": _json("Found", {"$ref": f"#/components/schemas/{schema}"}) if schema else stream}
    meanings = {
        304: "The client has it", 400: "A parameter cannot be understood", 401: "No API key, or an unknown one",
        403: "The key lacks a scope", 404: "Nobody is known by this",
        408: "The body did not come in time", 410: "Last-Event-ID cannot be gone on from",
        413: "Too large", 415: "Not JSON", 421: "Without keys it answers to this machine only", 422: "Not this shape",
        429: "Too many requests of this key", 503: "Not caught up, busy, or ClickHouse is away",
        409: "The event that was waited for is not in",
    }  # fmt: skip
    problem = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status in sorted({*others, 401, 403, 421, 429}):
        content = {} if status == 304 else {"content": problem}
        found[str(status)] = {"description": meanings[status], **content}
    return found


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _path(name: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    schema = schema or {"type": "string", "minLength": 1, "maxLength": 200}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _profile_id() -> dict[str, Any]:
    return _path("id", {"type": "string", "format": "uuid"})


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _many(name: str, limits: dict[str, Any], description: str) -> dict[str, Any]:
    pattern = {"pattern": "^[A-Za-z0-9_.-]{1,64}$"} if name == "profile" else {"maxLength": 200}
    return _query(name, {"type": "array", "items": {**_TEXT, **pattern}, **limits}, description)


def _header(name: str, description: str) -> dict[str, Any]:
    return {"name": name, "in": "header", "schema": _TEXT, "description": description}


def _fields(schema: str) -> dict[str, Any]:
    names = [field["name"] for field in current()[schema]["fields"]]
    return {
        **_query("fields", {"type": "array", "items": {"enum": names}}, "Only these fields of the state"),
        "style": "form", "explode": False,
    }  # fmt: skip


def _who(limits: Limits) -> dict[str, Any]:
    text: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": 200}
    name: dict[str, Any] = {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"}
    forms: list[dict[str, Any]] = [{"type": name, "value": text}, {"profile_id": name}]
    one = {
        "oneOf": [
            {"type": "object", "properties": form, "required": list(form), "additionalProperties": False}
            for form in forms
        ]
    }
    names = [field["name"] for field in current()["JourneyState"]["fields"]]
    return {
        "type": "object", "required": ["who"], "additionalProperties": False,
        "properties": {
            "who": {"type": "array", "minItems": 1, "maxItems": limits.lookups, "items": one},
            "fields": {"type": "array", "items": {"enum": names}},
        },
    }  # fmt: skip


def _schemas() -> dict[str, Any]:
    person = {
        "profile_id": _TEXT,
        "merged_from": {
            "type": ["string", "null"],
            "description": "The profile id that was asked for, if it was merged",
        },
        "shared_from": {**_MAYBE_TIME, "description": f"Since when several people use the identifier, {_MS}"},
        "state": {"$ref": "#/components/schemas/JourneyState"},
    }
    result = {
        "type": "object",
        "required": ["status"],
        "properties": {"status": {"enum": [200, 404]}, **person},
    }
    account = {"account_id": _TEXT, "state": {"$ref": "#/components/schemas/AccountState"}}
    problem = dict.fromkeys(("type", "title", "detail", "code"), _TEXT) | {"status": {"type": "integer"}}
    states = {name: {**_json_schema(current()[name]), "required": ["version"]} for name in _NAMES}
    return {
        "Person": {"type": "object", "required": list(person), "properties": person},
        "People": {
            "type": "object", "required": ["results"],
            "properties": {"results": {"type": "array", "items": result, "description": "In the order of `who`"}},
        },
        "Account": {"type": "object", "required": list(account), "properties": account},
        "Rows": {"type": "object", "required": ["profile_id"], "properties": {"profile_id": _TEXT}},
        "Problem": {"type": "object", "required": list(problem), "properties": problem},
        **states,
    }  # fmt: skip


def _json_schema(avro: Any) -> dict[str, Any]:
    """The JSON Schema of what JSON shows of an Avro type. Records inside stand in their places."""
    if isinstance(avro, list):
        branches = [_json_schema(branch) for branch in avro if branch != "null"]
        return {"anyOf": [*branches, {"type": "null"}]} if "null" in avro else {"anyOf": branches}
    if isinstance(avro, str):
        if avro in _NUMBERS:
            return {"type": _NUMBERS[avro]}
        return dict(_TEXT) if avro == "string" else {}  # a record that is described elsewhere
    kind = avro["type"]
    if kind == "record":
        properties = {
            field["name"]: {**_json_schema(field["type"]), **_described(field)} for field in avro["fields"]
        }
        return {"type": "object", "properties": properties}
    if kind == "array":
        return {"type": "array", "items": _json_schema(avro["items"])}
    if kind == "map":
        return {"type": "object", "additionalProperties": _json_schema(avro["values"])}
    if kind == "enum":
        return {"enum": avro["symbols"]}
    return _json_schema(kind)


def _described(field: Any) -> dict[str, str]:
    return {"description": field["doc"]} if "doc" in field else {}
