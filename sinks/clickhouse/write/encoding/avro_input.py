"""How ClickHouse reads a record's Avro: the columns of `input()`, and the conditions that the statement checks.

ClickHouse's Avro reader finds a field by its path, such as `session.Session.started_at`: through a record by the
field's name, through a union by the name of the branch. The reader refuses a branch that does not exist. It accepts
three things that the codec refuses, so the statement checks for them: text that is not UTF-8, an enum's number beyond
its symbols, and a map that names a key twice. The file declares an enum as the integer that it is on the wire, because
the reader does not check the symbols that it looks up. One difference is left: within the records of an array the
reader takes a branch that does not exist for null.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from schemas.encoding.datum import physical
from schemas.records import AvroSchema

_TYPES: Final = {
    "string": "String", "int": "Int64", "long": "Int64", "double": "Float64", "boolean": "UInt8", "enum": "Int64",
}  # fmt: skip


class InputColumn(NamedTuple):
    """A column of `input()`. Avro's null is '' in a text and NULL in a number."""

    name: str
    type: str
    checks: tuple[str, ...]  #: SQL conditions on it


def columns(schema: AvroSchema) -> list[InputColumn]:
    """The columns of a record's fields."""
    return list(_columns("", schema, _named(schema)))


class Field(NamedTuple):
    """A field as an SQL expression, with its definition in the record's schema."""

    expression: str
    schema: AvroSchema
    nullable: bool  #: whether the expression may be NULL
    names: dict[str, Any]  #: every type that the record's schema defines

    def part(self, name: str) -> "Field":
        """A field of this record, which is a tuple in SQL."""
        (found,) = (field for field in self.schema["fields"] if field["name"] == name)
        return self._inner(f"{self.expression}.{name}", found["type"])

    def item(self, variable: str) -> "Field":
        """An item of this array, by the name of a lambda's variable."""
        return self._inner(variable, self.schema["items"])

    def value(self, variable: str) -> "Field":
        """A value of this map, by the name of a lambda's variable."""
        return self._inner(variable, self.schema["values"])

    def _inner(self, expression: str, schema: AvroSchema) -> "Field":
        found = _defined(schema, self.names)
        nullable = _kind(found) == "union"
        return Field(expression, _not_null(found, self.names) if nullable else found, nullable, self.names)


def field_at(schema: AvroSchema, path: Sequence[str]) -> Field:
    """The field of a record at a path of names, read from its column of `input()`."""
    names = _named(schema)
    steps, nullable = [], False
    for name in path:
        (found,) = (field for field in schema["fields"] if field["name"] == name)
        steps.append(name)
        schema = _defined(found["type"], names)
        if _kind(schema) == "union":
            nullable = True
            schema = _not_null(schema, names)
            steps.append(_branch(schema))
    # see _columns: of a text that is not there the reader makes ''
    return Field(f"`{'.'.join(steps)}`", schema, nullable and _kind(schema) != "string", names)


def wire(schema: AvroSchema) -> AvroSchema:
    """The schema of the same bytes as ClickHouse is to read them: times and enums are integers."""
    enums = {name for name, found in _named(schema).items() if found["type"] == "enum"}
    return _without_enums(physical(schema), enums)


def _columns(
    path: str, schema: AvroSchema, names: dict[str, Any], *, nullable: bool = False
) -> Iterator[InputColumn]:
    schema = _defined(schema, names)
    kind = _kind(schema)
    if kind == "record":
        for field in schema["fields"]:
            inner = f"{path}.{field['name']}" if path else field["name"]
            yield from _columns(inner, field["type"], names, nullable=nullable)
    elif kind == "union":
        branch = _not_null(schema, names)
        yield from _columns(f"{path}.{_branch(branch)}", branch, names, nullable=True)
    else:
        # ClickHouse fills in '' for a text that is not there, NULL for a number
        wrapped = nullable and kind != "string"
        checks = _checks(f"`{path}`", schema, names)
        yield InputColumn(
            path,
            f"Nullable({_type(schema, names)})" if wrapped else _type(schema, names),
            tuple(f"ifNull({check}, 1)" for check in checks) if wrapped else tuple(checks),
        )


def _type(schema: AvroSchema, names: dict[str, Any]) -> str:
    schema = _defined(schema, names)
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
    schema = _defined(schema, names)
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


def _defined(schema: AvroSchema, names: dict[str, Any]) -> AvroSchema:
    """The definition of a type that is given by its name."""
    return names.get(schema, schema) if isinstance(schema, str) else schema


def _not_null(union: list[AvroSchema], names: dict[str, Any]) -> AvroSchema:
    """The one branch of a nullable that is not null, with its definition."""
    (branch,) = (branch for branch in union if branch != "null")
    return _defined(branch, names)


def _branch(schema: AvroSchema) -> str:
    """How the reader names a branch of a union: a record by its name, all others by their type on the wire."""
    kind = _kind(schema)
    return str(schema["name"]) if kind == "record" else "int" if kind == "enum" else kind


def _named(schema: AvroSchema) -> dict[str, Any]:
    """Every type that a self-contained schema defines: full name → definition."""
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
