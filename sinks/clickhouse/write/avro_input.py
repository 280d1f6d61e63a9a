"""How ClickHouse reads a record's Avro: the columns of `input()`, and what must hold of them.

Its reader finds a field by its path, `session.Session.started_at`: through records by their fields' names and through
a union by its branch's, where it also checks that there is such a branch. What it would take and the codec refuses is
left to checks: text that is not UTF-8, an enum's number beyond its symbols (the file declares enums as the integers
that they are on the wire, since the reader looks symbols up unchecked), a map that names a key twice, of which the
codec keeps the last. One difference is left: within the records of an array a branch that does not exist is null.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from schemas.encoding.datum import physical
from schemas.records import AvroSchema

_TYPES: Final = {
    "string": "String", "int": "Int64", "long": "Int64", "double": "Float64", "boolean": "UInt8", "enum": "Int64",
}  # fmt: skip


class Column(NamedTuple):
    """A column of `input()`. Avro's null is '' in a text and NULL in a number."""

    name: str
    type: str
    checks: tuple[str, ...]  #: SQL conditions on it


def columns(schema: AvroSchema) -> list[Column]:
    """The columns of a record's fields."""
    return list(_columns("", schema, _named(schema)))


def symbols(schema: AvroSchema, name: str) -> list[str]:
    """The symbols of an enum that a schema defines somewhere, in the order of their numbers."""
    found: list[str] = _named(schema)[name]["symbols"]
    return found


def wire(schema: AvroSchema) -> AvroSchema:
    """The schema of the same bytes as ClickHouse is to read them: times and enums are integers."""
    enums = {name for name, found in _named(schema).items() if found["type"] == "enum"}
    return _without_enums(physical(schema), enums)


def _columns(
    path: str, schema: AvroSchema, names: dict[str, Any], *, nullable: bool = False
) -> Iterator[Column]:
    schema = names.get(schema, schema) if isinstance(schema, str) else schema
    kind = _kind(schema)
    if kind == "record":
        for field in schema["fields"]:
            inner = f"{path}.{field['name']}" if path else field["name"]
            yield from _columns(inner, field["type"], names, nullable=nullable)
    elif kind == "union":
        branch = _not_null(schema, names)
        name = (
            branch["name"]
            if _kind(branch) == "record"
            else "int"
            if _kind(branch) == "enum"
            else _kind(branch)
        )
        yield from _columns(f"{path}.{name}", branch, names, nullable=True)
    else:
        # ClickHouse fills in '' for a text that is not there, and NULL for a number
        wrapped = nullable and kind != "string"
        checks = _checks(f"`{path}`", schema, names)
        yield Column(
            path,
            f"Nullable({_type(schema, names)})" if wrapped else _type(schema, names),
            tuple(f"ifNull({check}, 1)" for check in checks) if wrapped else tuple(checks),
        )


def _type(schema: AvroSchema, names: dict[str, Any]) -> str:
    schema = names.get(schema, schema) if isinstance(schema, str) else schema
    kind = _kind(schema)
    if kind == "union":
        return f"Nullable({_type(_not_null(schema, names), names)})"
    if kind == "array":
        return f"Array({_type(schema['items'], names)})"
    if kind == "map":
        return f"Map(String, {_type(schema['values'], names)})"
    if kind == "record":
        parts = (f"`{field['name']}` {_type(field['type'], names)}" for field in schema["fields"])
        return f"Tuple({', '.join(parts)})"
    return _TYPES[kind]


def _checks(value: str, schema: AvroSchema, names: dict[str, Any], depth: int = 0) -> Iterator[str]:
    """Conditions on a value; `depth` tells the variables of nested lambdas apart."""
    schema = names.get(schema, schema) if isinstance(schema, str) else schema
    kind, item = _kind(schema), f"i{depth}"
    if kind == "string":
        yield f"isValidUTF8({value})"
    elif kind == "enum":
        yield f"{value} BETWEEN 0 AND {len(schema['symbols']) - 1}"
    elif kind == "union":
        for check in _checks(value, _not_null(schema, names), names, depth):
            yield f"ifNull({check}, 1)"
    elif kind == "record":
        for field in schema["fields"]:
            yield from _checks(f"tupleElement({value}, '{field['name']}')", field["type"], names, depth)
    elif kind == "array":
        yield from _all(item, value, _checks(item, schema["items"], names, depth + 1))
    elif kind == "map":
        yield f"arrayUniq(mapKeys({value})) = length(mapKeys({value}))"
        yield from _all(item, f"mapKeys({value})", _checks(item, "string", names, depth + 1))
        yield from _all(item, f"mapValues({value})", _checks(item, schema["values"], names, depth + 1))


def _all(item: str, items: str, checks: Iterable[str]) -> Iterator[str]:
    if every := " AND ".join(checks):
        yield f"arrayAll({item} -> {every}, {items})"


def _kind(schema: AvroSchema) -> str:
    if isinstance(schema, list):
        return "union"
    kind = schema if isinstance(schema, str) else schema["type"]
    return kind if isinstance(kind, str) else _kind(kind)


def _not_null(union: list[AvroSchema], names: dict[str, Any]) -> AvroSchema:
    """The one branch of a nullable that is not null, with its definition."""
    (branch,) = (branch for branch in union if branch != "null")
    return names.get(branch, branch) if isinstance(branch, str) else branch


def _named(schema: AvroSchema) -> dict[str, Any]:
    """Every type that a self-contained schema defines, by its full name."""
    found: dict[str, Any] = {}
    if isinstance(schema, list):
        for branch in schema:
            found |= _named(branch)
    elif isinstance(schema, dict):
        if "name" in schema:
            found[f"touchline.{schema['name']}"] = schema
        for inner in (
            *(field["type"] for field in schema.get("fields", ())),
            schema.get("items"),
            schema.get("values"),
        ):
            found |= _named(inner)
        found |= _named(schema["type"])
    return found


def _without_enums(schema: AvroSchema, enums: set[str]) -> AvroSchema:
    if isinstance(schema, list):
        return [_without_enums(branch, enums) for branch in schema]
    if isinstance(schema, str):
        return "int" if schema in enums else schema
    if schema["type"] == "enum":
        return "int"
    result = dict(schema)
    for inner in ("type", "items", "values"):
        if inner in result:
            result[inner] = _without_enums(result[inner], enums)
    if "fields" in result:
        result["fields"] = [
            {"name": field["name"], "type": _without_enums(field["type"], enums)}
            for field in result["fields"]
        ]
    return result
