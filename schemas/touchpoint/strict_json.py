"""Strict JSON: refuses texts that two parsers could read differently. Raises ContractError and no other error.

Refused beside what is not JSON: a key twice in an object, NaN and Infinity (also 1e999), half of a surrogate pair,
nesting deeper than MAX_DEPTH, and whole numbers of more digits than Python reads (4,300).
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final, NoReturn

from schemas.errors import ContractError, Reason

MAX_DEPTH: Final = 32

_STRINGS_AND_BRACKETS: Final = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\Z)|[\[{]|[\]}]', re.DOTALL)
_SURROGATE_ESCAPE: Final = re.compile(r"\\u[dD][89a-fA-F]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def parse_json(data: bytes | str, *, exact: bool = False) -> Any:
    """The one JSON value in `data`, which is UTF-8; `exact` gives numbers with a fraction as Decimal, not float.

    Raises ContractError (UNDECODABLE) for everything that the module's first lines refuse.
    """
    text = _text(data)
    _check_depth(text)
    try:
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_exact if exact else _finite,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        # some of Python's sentences end with their own "at"
        _refuse(f"not JSON: {error.msg.removesuffix(' at')} at character {error.pos + 1}")
    except ValueError:  # the only other one that json raises: int() of too many digits
        _refuse("a number has more than 4,300 digits")
    if not text.isascii() or _SURROGATE_ESCAPE.search(text):
        _check_surrogates(value)
    return value


def shown(name: object) -> str:
    """A name for an error sentence: as it is if it is short and printable, else quoted and cut."""
    text = str(name)
    return text if len(text) <= 80 and text.isprintable() else repr(text[:80])


def _text(data: bytes | str) -> str:
    if isinstance(data, str):
        return data
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ContractError(Reason.UNDECODABLE, f"not UTF-8 at byte {error.start + 1}") from error


def _check_depth(text: str) -> None:
    """Refuse by the text itself: what json does at its own limit depends on how deep its caller stands."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return
    depth = 0
    for found in _STRINGS_AND_BRACKETS.finditer(text):
        bracket = found[0]
        if bracket in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                _refuse(f"nested deeper than {MAX_DEPTH} objects and lists")
        elif bracket in "]}":
            depth -= 1


def _refuse_constant(name: str) -> NoReturn:
    _refuse(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        _refuse(f"the number {text[:80]} is too large")
    return number


def _exact(text: str) -> Decimal:
    _finite(text)
    return Decimal(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        twice = Counter(name for name, _ in pairs).most_common(1)[0][0]
        _refuse(f"the key {shown(twice)} stands twice in one object: keep one")
    return made


def _check_surrogates(value: object) -> None:
    for path, text in _texts(value, ""):
        half = _SURROGATE.search(text)
        if half is not None:
            _refuse(
                f"{path or 'the text'} holds half of a surrogate pair ({ascii(half[0])[1:-1]}):"
                " send the whole character or leave it out"
            )


def _texts(value: object, path: str) -> Iterable[tuple[str, str]]:
    """Every text in a value, keys too, with the path to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, path)
    elif isinstance(value, dict):
        for name, item in value.items():
            yield (f"a name in {path}" if path else "a name"), name
            yield from _texts(item, f"{path}.{shown(name)}" if path else shown(name))


def _refuse(message: str) -> NoReturn:
    raise ContractError(Reason.UNDECODABLE, message)
