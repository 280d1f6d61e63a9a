"""Values of Kafka Connect's logical types, as a row says them: dates and times in ISO 8601, decimals exactly.

Connect's JSON writes them as numbers and Base64. Only the schema beside the payload tells which they are: without it a
value stays as it is.
"""

import base64
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from deploy.ingest.mapping.cells import invalid
from schemas.touchpoint.strict_json import shown

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 (a database's DATETIME has no zone: the mapping names it)
#: Largest scale of a decimal, positive or negative. A record names its scale: without a bound, its text fills memory.
_MAX_SCALE: Final = 400


def decode_row(row: Mapping[str, Any], schema: Any) -> dict[str, Any]:
    """A row with the values of its logical types decoded. Raises ContractError for a value that is none of its type."""
    kinds = {name: field for field in _fields(schema) if isinstance(name := field.get("field"), str)}
    return {name: _decoded(value, kinds.get(name), name) for name, value in row.items()}


def field_schema(schema: Any, name: str) -> Any:
    """The schema of a struct's field, or None."""
    return next((field for field in _fields(schema) if field.get("field") == name), None)


def _fields(schema: Any) -> list[dict[str, Any]]:
    fields = schema.get("fields") if isinstance(schema, dict) else None
    return [field for field in fields if isinstance(field, dict)] if isinstance(fields, list) else []


def _decoded(value: Any, field: Any, column: str) -> Any:
    if value is None or field is None:
        return value
    kind = field.get("name")
    decode = _DECODERS.get(kind) if isinstance(kind, str) else None
    if decode is None:
        return value
    try:
        return decode(value, field)
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError, ArithmeticError) as error:
        raise invalid(f"column {column!r} holds {str(value)[:80]!r}, which is no {kind}") from error


def _days(value: Any, _: Any) -> str:
    return (_EPOCH + timedelta(days=value)).date().isoformat()


def _since(**unit: int) -> Callable[[Any, Any], str]:
    """A decoder of a wall clock time, counted in microseconds or thousands of nanoseconds."""
    factor, divisor = unit.get("microseconds", 1), unit.get("divisor", 1)

    def decode(value: Any, _: Any) -> str:
        return (_EPOCH + timedelta(microseconds=value * factor // divisor)).isoformat()

    return decode


def _decimal(value: Any, field: Any) -> str:
    return _scaled(value, field["parameters"]["scale"])


def _variable_decimal(value: Any, _: Any) -> str:
    return _scaled(value["value"], value["scale"])


def _scaled(text: str, written_scale: Any) -> str:
    if not isinstance(written_scale, (int, str)):
        raise TypeError(written_scale)
    scale = int(written_scale)
    if abs(scale) > _MAX_SCALE:
        raise invalid(
            f"the scale of a decimal is {shown(scale)}: it must be from -{_MAX_SCALE} to {_MAX_SCALE}"
        )
    unscaled = int.from_bytes(base64.b64decode(text, validate=True), "big", signed=True)
    return f"{Decimal((int(unscaled < 0), tuple(map(int, str(abs(unscaled)))), -scale)):f}"


_DECODERS: Final[dict[str, Callable[[Any, Any], str]]] = {
    "io.debezium.time.Date": _days,
    "io.debezium.time.Timestamp": _since(microseconds=1000),
    "io.debezium.time.MicroTimestamp": _since(),
    "io.debezium.time.NanoTimestamp": _since(divisor=1000),
    "io.debezium.data.VariableScaleDecimal": _variable_decimal,
    "org.apache.kafka.connect.data.Date": _days,
    "org.apache.kafka.connect.data.Timestamp": _since(microseconds=1000),
    "org.apache.kafka.connect.data.Decimal": _decimal,
}
