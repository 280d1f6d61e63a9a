"""A schema registry in memory that answers as Confluent's does, for tests that need no real one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

from schemas.encoding.compatibility import clashes
from tests.support.http_serving import QuietHandler, serving


class MemoryRegistry:
    """Subjects with their versions, compared both ways; what was asked, in order."""

    def __init__(self) -> None:
        self.subjects: dict[str, list[dict[str, Any]]] = {}
        self.modes: dict[str, str] = {}
        self.schemas: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.password: str | None = None  #: as the header Authorization has it
        self.url = ""

    def answer(self, method: str, parts: list[str], body: Any, authorization: str | None) -> tuple[int, Any]:
        self.requests.append(f"{method} /{'/'.join(parts)}")
        if self.password is not None and authorization != self.password:
            return 401, {"error_code": 401}
        match method, parts:
            case "POST", ["subjects", subject]:
                schema = json.loads(body["schema"])
                if subject not in self.subjects:
                    return 404, {"error_code": 40401}
                if schema not in self.subjects[subject]:
                    return 404, {"error_code": 40403}
                return 200, {"subject": subject, "id": self.id_of(schema)}
            case "POST", ["subjects", subject, "versions"]:
                schema = json.loads(body["schema"])
                if not self.compatible(subject, schema):
                    return 409, {"error_code": 409, "message": "READER_FIELD_MISSING_DEFAULT_VALUE"}
                self.subjects.setdefault(subject, []).append(schema)
                return 200, {"id": self.id_of(schema)}
            case "POST", ["compatibility", "subjects", subject, "versions", "latest"]:
                if subject not in self.subjects:
                    return 404, {"error_code": 40401}
                return 200, {"is_compatible": self.compatible(subject, json.loads(body["schema"]))}
            case "PUT", ["config", subject]:
                self.modes[subject] = body["compatibility"]
                return 200, body
            case "GET", ["schemas", "ids", number] if int(number) <= len(self.schemas):
                return 200, {"schema": json.dumps(self.schemas[int(number) - 1])}
        return 404, {"error_code": 404}

    def compatible(self, subject: str, schema: dict[str, Any]) -> bool:
        latest = self.subjects.get(subject, [schema])[-1]
        return not clashes(latest, schema) and not clashes(schema, latest)

    def id_of(self, schema: dict[str, Any]) -> int:
        if schema not in self.schemas:
            self.schemas.append(schema)
        return self.schemas.index(schema) + 1


@contextmanager
def memory_registry() -> Iterator[MemoryRegistry]:
    """One that listens on loopback."""
    registry = MemoryRegistry()

    class Handler(QuietHandler):
        def respond(self) -> None:
            sent = self.body()
            body = json.loads(sent) if sent else None
            parts = [unquote(part) for part in self.path.strip("/").split("/")]
            status, answer = registry.answer(self.command, parts, body, self.headers.get("Authorization"))
            self.answer(status, json.dumps(answer).encode())

    with serving(Handler) as registry.url:
        yield registry
