"""JSON in one form: the same value has the same bytes."""

import json


def canonical(value: object) -> bytes:
    """JSON with sorted keys and without spaces; only ASCII, so that half a surrogate pair has bytes too."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
