"""The JSON form of a touchpoint: the Avro record as plain JSON, lenient about spelling.

`occurred_at` is ISO 8601 (without a zone: UTC) or epoch milliseconds; `identifiers` is a list of
{"type", "value"} or an object {"email": "...", "cookie": ["a", "b"]}; what is left out gets its default. Blank values
(null, "", spaces, [] and {}) count as left out.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from difflib import get_close_matches
from typing import Any, Final, NoReturn

from schemas.errors import ContractError, Reason
from schemas.records import ConsentDecision, Identifier, Score, Touchpoint
from schemas.touchpoint.rules import SCORE_RANGE
from schemas.touchpoint.strict_json import shown

DEFAULT_TENANT: Final = "default"
FIELDS: Final = tuple(Touchpoint.__annotations__)

_FIELD_SET: Final = frozenset(FIELDS)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_DECISIONS: Final = ("GRANTED", "DENIED", "REVOKED")
_LINKS: Final = ("OBSERVED", "ASSERTED")


def from_json(obj: object, now_ms: int) -> Touchpoint:
    """Read a touchpoint from its JSON form. A missing `received_at` becomes `now_ms`.

    Raises ContractError (INVALID) naming the field and what it should be. `rules.check` checks the limits.
    """
    if not isinstance(obj, Mapping):
        _refuse("a touchpoint is a JSON object")
    if not _FIELD_SET.issuperset(obj):
        _refuse_unknown(obj)
    received_at, link = obj.get("received_at"), obj.get("link")
    return {
        "tenant": _text(obj, "tenant") or DEFAULT_TENANT,
        "event_id": _required(obj, "event_id"),
        "occurred_at": to_ms(_present(obj, "occurred_at"), "occurred_at"),
        "received_at": now_ms if is_blank(received_at) else to_ms(received_at, "received_at"),
        "source": _required(obj, "source"),
        "channel": _required(obj, "channel"),
        "type": _required(obj, "type"),
        "identifiers": _identifiers(obj.get("identifiers")),
        "account_id": _text(obj, "account_id"),
        "session_id": _text(obj, "session_id"),
        "issue_id": _text(obj, "issue_id"),
        "order_id": _text(obj, "order_id"),
        "campaign": _text(obj, "campaign"),
        "amount_minor": _whole(obj, "amount_minor"),
        "currency": _text(obj, "currency"),
        "sentiment": _number(obj.get("sentiment"), "sentiment"),
        "score": _score(obj.get("score")),
        "consent": _choices(obj.get("consent")),
        "experiments": _texts(obj.get("experiments"), "experiments"),
        "link": _choice("OBSERVED" if is_blank(link) else link, _LINKS, "link"),
        "attributes": _texts(obj.get("attributes"), "attributes"),
    }


def to_json(touchpoint: Touchpoint) -> dict[str, Any]:
    """The JSON form of a touchpoint; empty optional fields left out; `from_json` reads it back."""
    result: dict[str, Any] = {
        name: value for name, value in touchpoint.items() if value is not None and value != {} and value != ""
    }
    result["occurred_at"] = to_iso(touchpoint["occurred_at"])
    result["received_at"] = to_iso(touchpoint["received_at"])
    if touchpoint["link"] == "OBSERVED":
        del result["link"]
    return result


def to_iso(milliseconds: int) -> str | int:
    """UTC milliseconds as ISO 8601 with milliseconds and Z; the number itself outside the years 1 to 9999."""
    try:
        moment = _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return milliseconds
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def to_ms(value: object, name: str) -> int:
    """ISO 8601 text (without a zone: UTC) or epoch milliseconds as UTC milliseconds. Raises ContractError."""
    if isinstance(value, str):
        try:
            return ms_of(parse_iso(value))
        except (ValueError, OverflowError):
            _refuse(
                f"{name} is {value[:80]!r}: write ISO 8601, like 2026-03-01T09:30:00Z, or epoch milliseconds"
            )
    return _as_whole(value, name)


def parse_iso(text: str) -> datetime:
    """ISO 8601, also with a small t or z (RFC 3339) and as BigQuery ends it (" UTC"). Raises ValueError.

    Digits alone are a date only if they are eight: Python would read epoch milliseconds as a year, a day and an hour.
    """
    if text.isdigit() and len(text) != 8:
        raise ValueError(text)
    if text.endswith(" UTC"):
        text = text[:-4] + "+00:00"
    elif text.endswith("z"):
        text = text[:-1] + "Z"
    return datetime.fromisoformat(text)


def ms_of(moment: datetime, zone: tzinfo = UTC) -> int:
    """A moment as UTC milliseconds, rounded down; `zone` is the one of a moment that names none."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return (moment - _EPOCH) // _MILLISECOND


def is_blank(value: object) -> bool:
    """Whether a value is blank: null, a text without any but space, an empty list or object."""
    if value.__class__ is str:
        return not value or value.isspace()
    return value is None or value == [] or value == {}


def _refuse(message: str) -> NoReturn:
    raise ContractError(Reason.INVALID, message)


def _refuse_unknown(obj: Mapping[str, object]) -> NoReturn:
    unknown = next(str(name) for name in obj if name not in _FIELD_SET)[:80]
    likely = get_close_matches(unknown.lower(), FIELDS, n=1)
    hint = f"did you mean {likely[0]}?" if likely else "put it under attributes"
    _refuse(f"unknown field {unknown!r}: {hint}")


def _present(obj: Mapping[str, Any], name: str) -> object:
    value = obj.get(name)
    if value is None or value == "":
        _refuse(f"{name} is missing")
    return value


def _required(obj: Mapping[str, Any], name: str) -> str:
    value = obj.get(name)
    if value.__class__ is str and value:
        return value
    return _as_text(_present(obj, name), name)


def _text(obj: Mapping[str, Any], name: str) -> str | None:
    value = obj.get(name)
    return None if is_blank(value) else _as_text(value, name)


def _as_text(value: object, name: str) -> str:
    """A text, also if it is written as a whole number. A fraction or a boolean is rejected as a mistake."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return _digits(value, name)
    _refuse(f"{name} must be a text")


def _digits(value: int, name: str) -> str:
    try:
        return str(value)
    except ValueError:  # beyond 4,300 digits Python does not write a number out
        _refuse(f"{name} is a number of more than 4,300 digits")


def _as_whole(value: object, name: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    _refuse(f"{name} must be a whole number")


def _whole(obj: Mapping[str, Any], name: str) -> int | None:
    value = obj.get(name)
    return None if is_blank(value) else _as_whole(value, name)


def _number(value: object, name: str) -> float | None:
    if is_blank(value):
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= 1e15:
        return float(value)
    _refuse(f"{name} must be a number")


def _identifiers(value: object) -> list[Identifier]:
    if is_blank(value):
        return []
    if isinstance(value, Mapping):
        return [
            {
                "type": _as_text(kind, "an identifier type"),
                "value": _as_text(one, f"identifiers.{shown(kind)}"),
            }
            for kind, values in value.items()
            for one in (values if isinstance(values, list) else [values])
            if not is_blank(one)
        ]
    if not isinstance(value, list):
        _refuse('identifiers must be a list of {"type", "value"} or an object of type to value')
    return [one for item in value if not is_blank(item) and (one := _identifier(item)) is not None]


def _identifier(item: object) -> Identifier | None:
    """An identifier of the list; None if its value is blank."""
    if not isinstance(item, Mapping) or item.keys() != {"type", "value"}:
        _refuse('an identifier in the list must be {"type": "...", "value": "..."}')
    if is_blank(item["value"]):
        return None
    return {
        "type": _as_text(item["type"], "an identifier type"),
        "value": _as_text(item["value"], "an identifier value"),
    }


def _score(value: object) -> Score | None:
    if is_blank(value):
        return None
    if not isinstance(value, Mapping) or value.keys() != {"kind", "value"}:
        _refuse('score must be {"kind": "nps" | "csat" | "ces", "value": number}')
    answer = _number(value["value"], "score.value")
    if answer is None:
        _refuse("score.value is missing")
    return {"kind": _choice(value["kind"], tuple(SCORE_RANGE), "score.kind"), "value": answer}


def _choices(value: object) -> dict[str, ConsentDecision]:
    if is_blank(value):
        return {}
    if not isinstance(value, Mapping):
        _refuse("consent must be an object of purpose to granted, denied or revoked")
    return {
        str(purpose): _choice(decision, _DECISIONS, f"consent.{shown(purpose)}")
        for purpose, decision in value.items()
        if not is_blank(decision)
    }


def _choice(value: object, choices: tuple[str, ...], name: str) -> Any:
    chosen = value.upper() if isinstance(value, str) else ""
    if chosen not in choices:
        _refuse(f"{name} must be {' or '.join(choice.lower() for choice in choices)}")
    return chosen


def _texts(value: object, name: str) -> dict[str, str]:
    if is_blank(value):
        return {}
    if not isinstance(value, Mapping):
        _refuse(f"{name} must be an object of name to text")
    return {str(key): _plain(one, f"{name}.{shown(key)}") for key, one in value.items() if one is not None}


def _plain(value: object, name: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return _digits(value, name)
    if isinstance(value, float) and math.isfinite(value):
        return str(value)
    _refuse(f"{name} must be a text, a number, true or false")
