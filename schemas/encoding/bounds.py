"""Bounds: refuses data and foreign schemas whose decoding would cost memory out of proportion to their bytes.

An array of empty records costs two bytes an item on the wire and some 230 in memory, so a hostile megabyte
would take a hundred. A datum is walked, without building it, to count its items against the contract's limits
first (large data only); a foreign schema is refused if it is recursive or describes values of no width.
"""

from typing import Any, Final

from schemas.errors import ContractError, Reason
from schemas.records import AvroSchema

MAX_ITEMS: Final = 4096  #: items of one array or map: above every limit that the contracts state
MAX_TOTAL_ITEMS: Final = 65_536  #: of all arrays and maps of a datum: a full Transfer has 41,000
MAX_DEPTH: Final = 16  #: nesting of a registered schema; ours nest 5 deep

_FIXED_BYTES = {"null": 0, "boolean": 1, "float": 4, "double": 8}
_PRIMITIVES = frozenset({*_FIXED_BYTES, "int", "long", "string", "bytes"})
_NAMED = ("record", "enum", "fixed")


def check_bounds(schema: AvroSchema, data: bytes, start: int) -> int:
    """Return the offset after the datum that begins at `start`; names in the schema must be full.

    Raises ContractError: TOO_LARGE over the counts above, UNDECODABLE if the bytes are not of the schema.
    """
    names: dict[str, Any] = {}
    _collect_names(schema, names)
    return _Walk(data, names).skip(schema, start, 0)


def check_schema(schema: AvroSchema) -> None:
    """Refuse a foreign schema that is dangerous: recursive, nested too deep, or with values of no width.

    Without values of no width a datum never holds more values than bytes. Raises ContractError (UNDECODABLE).
    """
    _SchemaCheck().depth_of(schema, "", 0)


def _collect_names(schema: AvroSchema, names: dict[str, Any]) -> None:
    if isinstance(schema, list):
        for branch in schema:
            _collect_names(branch, names)
    elif isinstance(schema, dict):
        if schema["type"] in _NAMED:
            name, namespace = schema["name"], schema.get("namespace")
            names[f"{namespace}.{name}" if namespace and "." not in name else name] = schema
        for field in schema.get("fields", ()):
            _collect_names(field["type"], names)
        for inner in (schema.get("items"), schema.get("values"), schema["type"]):
            _collect_names(inner, names)


class _Walk:
    def __init__(self, data: bytes, names: dict[str, Any]) -> None:
        self.data = data
        self.names = names
        self.items = 0

    def skip(self, schema: AvroSchema, at: int, depth: int) -> int:
        if depth > 2 * MAX_DEPTH:
            raise ContractError(Reason.UNDECODABLE, f"nested deeper than {2 * MAX_DEPTH}")
        if isinstance(schema, list):
            branch, at = self._long(at)
            if not 0 <= branch < len(schema):
                raise ContractError(Reason.UNDECODABLE, f"union branch {branch} does not exist")
            return self.skip(schema[branch], at, depth + 1)
        if isinstance(schema, str):
            if schema in self.names:
                return self.skip(self.names[schema], at, depth + 1)
            return self._skip_primitive(schema, at)
        kind = schema["type"]
        if kind == "record":
            for field in schema["fields"]:
                at = self.skip(field["type"], at, depth + 1)
            return at
        if kind == "enum":
            return self._long(at)[1]
        if kind == "array":
            return self._skip_blocks(schema["items"], None, at, depth)
        if kind == "map":
            return self._skip_blocks(schema["values"], "string", at, depth)
        if kind == "fixed":
            return self._forward(at, int(schema["size"]))
        return self.skip(kind, at, depth + 1)

    def _skip_primitive(self, name: str, at: int) -> int:
        if name in ("int", "long"):
            return self._long(at)[1]
        if name in ("string", "bytes"):
            length, at = self._long(at)
            return self._forward(at, length)
        if name in _FIXED_BYTES:
            return self._forward(at, _FIXED_BYTES[name])
        raise ContractError(Reason.UNDECODABLE, f"unknown Avro type {name}")

    def _skip_blocks(self, items: AvroSchema, keys: str | None, at: int, depth: int) -> int:
        total = 0
        while True:
            count, at = self._long(at)
            if count == 0:
                return at
            if count < 0:
                count = -count
                _, at = self._long(at)
            total += count
            self.items += count
            if total > MAX_ITEMS:
                raise ContractError(Reason.TOO_LARGE, f"an array or map has more than {MAX_ITEMS} items")
            if self.items > MAX_TOTAL_ITEMS:
                raise ContractError(
                    Reason.TOO_LARGE, f"the record has more than {MAX_TOTAL_ITEMS} items in all"
                )
            for _ in range(count):
                if keys is not None:
                    at = self._skip_primitive(keys, at)
                at = self.skip(items, at, depth + 1)

    def _long(self, at: int) -> tuple[int, int]:
        shift = value = 0
        while True:
            if at >= len(self.data) or shift > 63:
                raise ContractError(Reason.UNDECODABLE, "cut off inside a number")
            byte = self.data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return (value >> 1) ^ -(value & 1), at
            shift += 7

    def _forward(self, at: int, length: int) -> int:
        if length < 0 or at + length > len(self.data):
            raise ContractError(Reason.UNDECODABLE, "cut off inside a value")
        return at + length


class _SchemaCheck:
    """Follows every named type once, by its full name as Avro 1.12 ("Names") forms it."""

    def __init__(self) -> None:
        self.open: set[str] = set()
        self.depths: dict[str, int] = {}

    def depth_of(self, schema: AvroSchema, namespace: str, above: int) -> int:
        """How deep values of this type nest."""
        if isinstance(schema, list):
            inner = [
                0 if branch == "null" else self.depth_of(branch, namespace, above + 1) for branch in schema
            ]
            depth = 1 + max(inner, default=0)
        elif isinstance(schema, str):
            depth = self._depth_of_reference(schema, namespace)
        elif isinstance(schema, dict):
            depth = self._depth_of_definition(schema, namespace, above)
        else:
            raise _refusal("is not Avro")
        if above + depth > MAX_DEPTH:
            raise _refusal(f"nests deeper than {MAX_DEPTH}")
        return depth

    def _depth_of_reference(self, name: str, namespace: str) -> int:
        if name == "null":
            raise _refusal("has values of no width")
        if name in _PRIMITIVES:
            return 0
        full = _full_name(name, namespace)
        if full in self.open:
            raise _refusal(f"is recursive at {full}")
        if full not in self.depths:
            raise _refusal(f"uses {full} without defining it")
        return self.depths[full]

    def _depth_of_definition(self, schema: dict[str, Any], namespace: str, above: int) -> int:
        if any(str(key).startswith("__") for key in schema):
            raise _refusal("has a property that begins with two underscores")
        if above > MAX_DEPTH:
            raise _refusal(f"nests deeper than {MAX_DEPTH}")
        kind = schema.get("type")
        if kind in ("array", "map"):
            return 1 + self.depth_of(
                schema.get("items" if kind == "array" else "values"), namespace, above + 1
            )
        if kind not in _NAMED:
            return self.depth_of(kind, namespace, above + 1)
        full = _full_name(str(schema.get("name")), str(schema.get("namespace", namespace)))
        self.open.add(full)
        depth = 0
        if kind == "record":
            fields = schema.get("fields")
            if not isinstance(fields, list) or not all(isinstance(field, dict) for field in fields):
                raise _refusal("has a record without a list of fields")
            inside = full.rpartition(".")[0]
            inner = [self.depth_of(field.get("type"), inside, above + 1) for field in fields]
            if not inner:
                raise _refusal("has values of no width")
            depth = 1 + max(inner)
        elif kind == "fixed" and not (isinstance(schema.get("size"), int) and schema["size"] > 0):
            raise _refusal("has values of no width")
        self.open.discard(full)
        self.depths[full] = depth
        return depth


def _full_name(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _refusal(why: str) -> ContractError:
    return ContractError(Reason.UNDECODABLE, f"the registered schema {why}")
