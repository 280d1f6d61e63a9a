"""Intake: accepts or rejects a touchpoint in JSON or from a mapped row, alike for every reader.

`touchline publish`, `replay`, `policy try`, `catalogue check` and the collector give each line or item to `accept`.
So they accept the same lines, and reject the others with the same sentence.
"""

from typing import Any, Final

from schemas.encoding.codec import MAX_BYTES
from schemas.encoding.record_types import TOUCHPOINT
from schemas.errors import ContractError, Reason
from schemas.records import Touchpoint
from schemas.touchpoint.json_form import from_json
from schemas.touchpoint.rules import MAX_IDENTIFIER_CHARACTERS, MAX_IDENTIFIERS, capped, check
from schemas.touchpoint.strict_json import parse_json

#: A touchpoint of MAX_BYTES fits with its field names and escapes.
MAX_JSON_BYTES: Final = 4 * MAX_BYTES
#: Preparation may lengthen identifiers (a pseudonym for a short address). This limit reserves that room, so that an
#: accepted touchpoint is never too large once it is prepared.
ACCEPTED_BYTES: Final = MAX_BYTES - 4 * MAX_IDENTIFIERS * MAX_IDENTIFIER_CHARACTERS


def read_touchpoint(data: bytes | str, now_ms: int) -> Touchpoint:
    """The touchpoint in the bytes of one JSON value. `received_at` is `now_ms` unless the value gives an earlier time.

    Raises ContractError, and only that, whatever the bytes: UNDECODABLE if they are not strict JSON, TOO_LARGE
    beyond MAX_JSON_BYTES, else as `accept`.
    """
    return accept(read_value(data), now_ms)


def read_value(data: bytes | str) -> Any:
    """The JSON value that is to be one touchpoint. Raises ContractError: UNDECODABLE, TOO_LARGE."""
    if len(data) > MAX_JSON_BYTES:
        raise ContractError(Reason.TOO_LARGE, f"the JSON is longer than {MAX_JSON_BYTES} bytes")
    return parse_json(data)


def accept(value: object, now_ms: int) -> Touchpoint:
    """The touchpoint whose JSON form `value` is, if it keeps every rule that does not depend on a policy.

    `now_ms` is `received_at` unless the value says an earlier time.
    Raises ContractError as `json_form.from_json` and `rules.check` do, INVALID if Avro cannot hold it,
    and TOO_LARGE beyond ACCEPTED_BYTES.
    """
    touchpoint = capped(from_json(value, now_ms), now_ms)
    check(touchpoint)
    size = len(TOUCHPOINT.encode(touchpoint))
    if size > ACCEPTED_BYTES:
        raise ContractError(Reason.TOO_LARGE, f"the record has {size} bytes, the limit is {ACCEPTED_BYTES}")
    return touchpoint
