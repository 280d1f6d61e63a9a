"""The committed example of each record, as the codec takes it."""

import json
from pathlib import Path
from typing import Any

from schemas.encoding.registry import HERE, current

FOLDER: Path = HERE / "examples"


def example(name: str) -> dict[str, Any]:
    """The example of record `name`; `bytes` stand in the file as Avro's JSON encoding has them."""
    return _with_bytes(current()[name], json.loads((FOLDER / f"{name}.json").read_text()))


def _with_bytes(schema: Any, value: Any) -> Any:
    if isinstance(schema, list):
        return value if value is None else _with_bytes(next(s for s in schema if s != "null"), value)
    if schema == "bytes":
        return value.encode("latin-1")
    if not isinstance(schema, dict):
        return value
    if schema["type"] == "record":
        assert value.keys() == {field["name"] for field in schema["fields"]}, schema["name"]
        return {f["name"]: _with_bytes(f["type"], value[f["name"]]) for f in schema["fields"]}
    if schema["type"] == "array":
        return [_with_bytes(schema["items"], item) for item in value]
    return value
