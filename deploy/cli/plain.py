"""Values of ClickHouse and Python in the few types that JSON, CSV and a table have."""

import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any


def plain(value: Any, *, finite: bool = False) -> Any:
    """A value whose parts are text, numbers, booleans, None, lists, tuples and dicts with text as keys.

    Times become ISO 8601, with Z when they are in UTC (2026-01-01T12:00:00.250Z), bytes hexadecimal, and all else
    (decimals, UUIDs, addresses) its text, which loses no digit. With `finite`, numbers that JSON lacks become None.
    """
    if isinstance(value, float) and finite and not math.isfinite(value):
        return None
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        parts = [plain(part, finite=finite) for part in value]
        return tuple(parts) if isinstance(value, tuple) else parts
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(part, finite=finite) for key, part in value.items()}
    if isinstance(value, datetime):
        spec = "microseconds" if value.microsecond % 1000 else "milliseconds" if value.microsecond else "auto"
        return value.isoformat(timespec=spec).replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)
