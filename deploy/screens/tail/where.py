"""A condition on a record that a person types: `friction > 5 and stage in ('purchase', 'service')`.

The grammar is closed: comparisons, `in`, `and`, `or`, `not`, `len`, constants and the fields of the record. Python's
parser reads it, and whatever is not in the grammar is refused before anything is evaluated. Only `len` is called.
"""

import ast
import operator
import warnings
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from itertools import pairwise
from typing import Any, Final

from schemas.encoding.registry import current
from schemas.errors import SettingsError
from schemas.records import AvroSchema, Record

Condition = Callable[[Record], bool]
_Read = Callable[[Record], Any]

MAX_CHARACTERS: Final = 500
_EXAMPLE: Final = "friction > 5 and stage == 'purchase'"
_GRAMMAR: Final = "fields, text, numbers, == != < <= > >=, in, and, or, not, len(…)"
_WORDS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "null": None}
_ORDERED: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip


def condition(text: str, record: str) -> Condition:
    """The condition `text` on records of schema `record`. Raises SettingsError, which names the slip and the fix.

    A comparison with what is missing or of another type is false: `sentiment < 0` leaves out who has no sentiment.
    """
    if len(text) > MAX_CHARACTERS:
        raise _refused(text[:40] + "…", f"it is longer than {MAX_CHARACTERS} characters")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of backslashes in text
            tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        single = "=" in text.replace("==", "").replace("!=", "").replace("<=", "").replace(">=", "")
        why = "write == to compare" if single else "it is no condition"
        raise _refused(text, f"{why}; like {_EXAMPLE}") from error
    read = _Builder(text, record).build(tree.body)[0]
    return lambda found: bool(read(found))


class _Builder:
    """Turns the tree into functions of a record. Each comes with the Avro type of its result; None if it has none."""

    def __init__(self, text: str, record: str) -> None:
        self._text = text
        self._record = record

    def build(self, node: ast.expr) -> tuple[_Read, AvroSchema]:
        match node:
            case ast.BoolOp():
                return self._bool(node), None
            case ast.UnaryOp(op=ast.Not()):
                inner = self.build(node.operand)[0]
                return (lambda found: not inner(found)), None
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
                return (lambda _, value=-number: value), None
            case ast.Compare():
                return self._compare(node), None
            case ast.Constant(value=str() | int() | float() | None as value):
                return (lambda _, value=value: value), None
            case ast.List() | ast.Tuple() | ast.Set():
                parts = [self.build(part)[0] for part in node.elts]
                return (lambda found: [part(found) for part in parts]), None
            case ast.Name() | ast.Attribute() | ast.Subscript():
                return self._field(node)
            case ast.Call(func=ast.Name(id="len"), args=[argument], keywords=[]):
                counted = self.build(argument)[0]
                return (lambda found: _length(counted(found))), None
        raise _refused(self._text, f"it has {ast.unparse(node)!r}, and a condition has only {_GRAMMAR}")

    def _bool(self, node: ast.BoolOp) -> _Read:
        parts = [self.build(part)[0] for part in node.values]
        if isinstance(node.op, ast.And):
            return lambda found: all(part(found) for part in parts)
        return lambda found: any(part(found) for part in parts)

    def _compare(self, node: ast.Compare) -> _Read:
        parts = [self.build(part)[0] for part in (node.left, *node.comparators)]
        tests = [_comparison(one) for one in node.ops]

        def holds(found: Record) -> bool:
            values = [part(found) for part in parts]
            return all(test(*pair) for test, pair in zip(tests, pairwise(values), strict=True))

        return holds

    def _field(self, node: ast.expr) -> tuple[_Read, AvroSchema]:
        match node:
            case ast.Name(id="true" | "false" | "null" as word):
                return (lambda _, value=_WORDS[word]: value), None
            case ast.Name():
                type_ = self._of(current()[self._record], node.id, f"a {self._record}")
                return (lambda found, name=node.id: found.get(name)), type_
            case ast.Attribute():
                return self._part(node.value, node.attr)
            case ast.Subscript(slice=ast.Constant(value=str() | int() as part)):
                return self._part(node.value, part)
            case ast.Subscript(slice=ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() as part))):
                return self._part(node.value, -part)
        raise _refused(
            self._text, f"{ast.unparse(node)!r} names no field; write revenue['EUR'] or session.touchpoints"
        )

    def _part(self, owner: ast.expr, part: str | int) -> tuple[_Read, AvroSchema]:
        inner, type_ = self._field(owner)
        return (lambda found: _part_of(inner(found), part)), self._of(
            _present(type_), part, ast.unparse(owner)
        )

    def _of(self, type_: AvroSchema, part: str | int, owner: str) -> AvroSchema:
        """The type of a part of a value of this type. Raises SettingsError for a part that no such value has."""
        kind = type_["type"] if isinstance(type_, dict) else None
        if kind == "record":
            fields = {field["name"]: field["type"] for field in type_["fields"]}
            if part in fields:
                return fields[part]
            raise _refused(self._text, f"{part} is no field of {owner}{_advice(str(part), fields)}")
        if kind == "map" and isinstance(part, str):
            return type_["values"]
        if kind == "array" and isinstance(part, int):
            return type_["items"]
        if isinstance(type_, str) and type_.startswith("touchline."):
            return self._of(_named(current()[self._record], type_), part, owner)
        raise _refused(self._text, f"{owner} has no part {part!r}")


def _present(type_: AvroSchema) -> AvroSchema:
    """The branch of an optional type that is not null; times and enums are what they stand for."""
    if isinstance(type_, list):
        return next((branch for branch in type_ if branch != "null"), "null")
    return type_


def _named(schema: AvroSchema, name: str) -> AvroSchema:
    """The definition of a named type within a schema."""
    if isinstance(schema, list):
        return next((found for branch in schema if (found := _named(branch, name)) is not None), None)
    if not isinstance(schema, dict):
        return None
    if f"touchline.{schema.get('name')}" == name and schema["type"] == "record":
        return schema
    inside = [field["type"] for field in schema.get("fields", ())]
    inside += [schema[part] for part in ("items", "values") if part in schema]
    return _named(inside, name)


def _comparison(op: ast.cmpop) -> Callable[[Any, Any], bool]:
    match op:
        case ast.Eq() | ast.Is():
            return lambda left, right: bool(left == right)
        case ast.NotEq() | ast.IsNot():
            return lambda left, right: bool(left != right)
        case ast.In():
            return _contains
        case ast.NotIn():
            return lambda left, right: not _contains(left, right)
    ordered = _ORDERED[type(op)]

    def holds(left: Any, right: Any) -> bool:
        try:
            return bool(ordered(left, right))
        except TypeError:
            return False

    return holds


def _contains(left: Any, right: Any) -> bool:
    try:
        return left in right
    except TypeError:
        return False


def _part_of(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and isinstance(part, int) and -len(value) <= part < len(value):
        return value[part]
    return None


def _length(value: Any) -> int | None:
    return len(value) if isinstance(value, str | list | dict) else None


def _advice(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f": did you mean {near[0]}?" if near else f"; it has {', '.join(sorted(known))}"


def _refused(text: str, why: str) -> SettingsError:
    return SettingsError(f"--where {text!r}: {why}")
