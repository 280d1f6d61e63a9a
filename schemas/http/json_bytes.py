"""JSON as bytes: by orjson where that is installed (`touchline[fast]`), else by the standard library."""

import json
from collections.abc import Callable
from typing import Any, Final

try:
    from orjson import dumps
except ImportError:
    _fast: Callable[[Any], bytes] | None = None
else:
    _fast = dumps

_slow: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode  #: built once


def json_bytes(value: Any) -> bytes:
    """Without spaces, in UTF-8. Half a surrogate pair, which a request may have, is written as a backslash escape."""
    if _fast is not None:
        try:
            return _fast(value)
        except TypeError:
            pass  # such a half, or a number beyond 64 bits
    return _slow(value).encode("utf-8", "backslashreplace")
