"""Walk an Avro datum without building it: refuse one whose counts would cost memory out of proportion to its bytes.

An array of empty records costs two bytes an item on the wire and some 230 in memory, so a hostile megabyte
would take a hundred. The walk counts items against the contract's limits first. It runs on large data only.
"""

from typing import Any, Final

from schemas.errors import ContractError, Reason

MAX_ITEMS: Final = 4096  #: items of one array or map: above every limit that the contracts state
MAX_DEPTH: Final = 16  #: nesting of a registered schema; ours nest 5 deep

_FIXED_BYTES = {"null": 0, "boolean": 1, "float": 4, "double": 8}


def check_bounds(schema: Any, data: bytes, start: int) -> int:
    """Return the offset after the datum that begins at `start`. Raises ContractError."""
    return _Walk(data).skip(schema, start, {}, 0)


def check_schema(schema: Any) -> None:
    """Refuse a foreign schema that could hurt: recursive, too deep, or with zero-width array or map items.

    Raises ContractError (UNDECODABLE).
    """
    _check_type(schema, set(), 0)


class _Walk:
    def __init__(self, data: bytes) -> None:
        self.data = data

    def skip(self, schema: Any, at: int, names: dict[str, Any], depth: int) -> int:
        if depth > MAX_DEPTH:
            raise ContractError(Reason.UNDECODABLE, f"nested deeper than {MAX_DEPTH}")
        if isinstance(schema, list):
            branch, at = self._long(at)
            if not 0 <= branch < len(schema):
                raise ContractError(Reason.UNDECODABLE, f"union branch {branch} does not exist")
            return self.skip(schema[branch], at, names, depth + 1)
        if isinstance(schema, str):
            if schema in names:
                return self.skip(names[schema], at, names, depth + 1)
            return self._skip_primitive(schema, at)
        kind = schema["type"]
        if kind == "record":
            names[f"{schema.get('namespace', 'touchline')}.{schema['name']}"] = names[schema["name"]] = schema
            for field in schema["fields"]:
                at = self.skip(field["type"], at, names, depth + 1)
            return at
        if kind == "enum":
            names[f"{schema.get('namespace', 'touchline')}.{schema['name']}"] = names[schema["name"]] = schema
            return self._long(at)[1]
        if kind == "array":
            return self._skip_blocks(schema["items"], None, at, names, depth)
        if kind == "map":
            return self._skip_blocks(schema["values"], "string", at, names, depth)
        if kind == "fixed":
            return self._forward(at, int(schema["size"]))
        return self.skip(kind, at, names, depth + 1)

    def _skip_primitive(self, name: str, at: int) -> int:
        if name in ("int", "long"):
            return self._long(at)[1]
        if name in ("string", "bytes"):
            length, at = self._long(at)
            return self._forward(at, length)
        if name in _FIXED_BYTES:
            return self._forward(at, _FIXED_BYTES[name])
        raise ContractError(Reason.UNDECODABLE, f"unknown Avro type {name}")

    def _skip_blocks(self, items: Any, keys: str | None, at: int, names: dict[str, Any], depth: int) -> int:
        total = 0
        while True:
            count, at = self._long(at)
            if count == 0:
                return at
            if count < 0:
                count = -count
                _, at = self._long(at)
            total += count
            if total > MAX_ITEMS:
                raise ContractError(Reason.TOO_LARGE, f"an array or map has more than {MAX_ITEMS} items")
            for _ in range(count):
                if keys is not None:
                    at = self._skip_primitive(keys, at)
                at = self.skip(items, at, names, depth + 1)

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


def _check_type(schema: Any, open_names: set[str], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise ContractError(Reason.UNDECODABLE, f"the registered schema nests deeper than {MAX_DEPTH}")
    if isinstance(schema, list):
        for branch in schema:
            _check_type(branch, open_names, depth + 1)
    elif isinstance(schema, str):
        if schema in open_names:
            raise ContractError(Reason.UNDECODABLE, f"the registered schema is recursive at {schema}")
    elif isinstance(schema, dict):
        _check_complex(schema, open_names, depth)
    else:
        raise ContractError(Reason.UNDECODABLE, "the registered schema is not Avro")


def _check_complex(schema: dict[str, Any], open_names: set[str], depth: int) -> None:
    kind = schema.get("type")
    if kind == "record":
        name = str(schema.get("name"))
        inside = open_names | {name, f"{schema.get('namespace', '')}.{name}"}
        for field in schema.get("fields", []):
            _check_type(field.get("type"), inside, depth + 1)
    elif kind in ("array", "map"):
        items = schema.get("items" if kind == "array" else "values")
        if _can_be_empty(items):
            raise ContractError(Reason.UNDECODABLE, "the registered schema has items of no width")
        _check_type(items, open_names, depth + 1)
    elif isinstance(kind, (dict, list)):
        _check_type(kind, open_names, depth + 1)


def _can_be_empty(schema: Any) -> bool:
    """Whether a datum of this type may take zero bytes (a union takes at least its branch number)."""
    if schema == "null":
        return True
    if not isinstance(schema, dict):
        return False
    if schema.get("type") == "record":
        return all(_can_be_empty(field.get("type")) for field in schema.get("fields", []))
    return schema.get("type") == "null" or (schema.get("type") == "fixed" and schema.get("size") == 0)
