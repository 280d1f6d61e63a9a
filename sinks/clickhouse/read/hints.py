"""What to do about an error of ClickHouse in a statement that a person wrote: a sentence, where one is known."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Final

from schemas.errors import SettingsError
from sinks.clickhouse.read.questions import Question, questions

_NO_FUNCTION: Final = 46
_NO_COLUMNS: Final = 51
_NOT_SET: Final = 456
_NO_RIGHT: Final = 497
#: The value of a parameter cannot be read as its type.
_NO_VALUE: Final = frozenset({6, 26, 27, 38, 41, 72, 130, 457})
#: How the beginning of a type's name → its values are written. The longer names stand first.
_WRITTEN: Final = {
    "DateTime": "2026-01-31 12:00:00", "Date": "2026-01-31", "UInt": "12", "Int": "-12", "Float": "1.5", "Bool": "true",
}  # fmt: skip

_PARAMETER: Final = re.compile(r"\{\s*(\w+)\s*:\s*([^{}]+?)\s*\}")
_SUBSTITUTION: Final = re.compile(r"Substitution `(\w+)` is not set")
_OF_PARAMETER: Final = re.compile(r"for query parameter '(\w+)'")
_UNKNOWN_FUNCTION: Final = re.compile(r"Unknown table function (\w+)")
_SOURCE: Final = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)\b\s*(\()?", re.IGNORECASE)


def hint(sql: str, code: int, said: str, *, limited: bool) -> str | None:
    """How to mend an error of the server; None if nothing better than its own message is known.

    `limited`: whether the analyst asked.
    """
    if code == _NOT_SET:
        return _not_set(sql, said)
    if code == _NO_COLUMNS:
        asked = next(
            (q for name, called in _sources(sql) if not called and (q := questions().get(name))), None
        )
        return None if asked is None else f"{asked.name} has parameters: {asked.example}"
    if code == _NO_FUNCTION:
        return _no_function(said)
    if code == _NO_RIGHT and limited:
        return (
            "the analyst may not read this: ask as the user of TOUCHLINE_CLICKHOUSE_URL, by unsetting"
            f" TOUCHLINE_ANALYST_USER ({said})"
        )
    found = _OF_PARAMETER.search(said)
    if code in _NO_VALUE and found:
        kind = parameter_types(sql).get(found[1], "value of its type")
        written = next((how for start, how in _WRITTEN.items() if kind.startswith(start)), "")
        return f"--param {found[1]} is no {kind}" + (f": write it like {written}" if written else "")
    return None


def parameter_types(sql: str) -> dict[str, str]:
    """The parameters that a statement has as {name:Type}, with their types."""
    return dict(_PARAMETER.findall(sql))


def parameters(sql: str, typed: Mapping[str, str]) -> dict[str, str | list[str | int | float]]:
    """The values of a statement's parameters from what was typed; those of an Array type are comma-separated.

    Raises SettingsError for a value that the statement has no parameter for.
    """
    types = parameter_types(sql)
    unknown = next((name for name in typed if name not in types), None)
    if unknown is not None:
        names = ", ".join(f"{{{name}:{kind}}}" for name, kind in types.items())
        raise SettingsError(
            f"--param {unknown}: the statement has {names or 'no parameter'}"
            + ("" if names else f"; write {{{unknown}:String}} where the value belongs")
        )
    return {name: _value(name, text, types[name]) for name, text in typed.items()}


def _value(name: str, text: str, kind: str) -> str | list[str | int | float]:
    if not kind.startswith("Array("):
        return text
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    if "String" in kind:
        return list(parts)
    try:
        return [int(part) if part.lstrip("-").isdecimal() else float(part) for part in parts]
    except ValueError as error:
        raise SettingsError(
            f"--param {name} is {text!r}: {kind} takes numbers with commas between"
        ) from error


def _not_set(sql: str, said: str) -> str | None:
    found = _SUBSTITUTION.search(said)
    if found is None:
        return None
    name = found[1]
    if name in parameter_types(sql):
        return f"the statement has the parameter {name}: give --param {name}=VALUE"
    asked = next(
        (q for source, _ in _sources(sql) if (q := questions().get(source)) and _takes(q, name)), None
    )
    return None if asked is None else f"{asked.name} also needs {name}: {asked.example}"


def _no_function(said: str) -> str | None:
    found = _UNKNOWN_FUNCTION.search(said)
    near = found and get_close_matches(found[1], questions(), n=1)
    return f"there is no question {found[1]}: did you mean {near[0]}?" if found and near else None


def _takes(question: Question, name: str) -> bool:
    return any(parameter.name == name for parameter in question.parameters)


def _sources(sql: str) -> list[tuple[str, str]]:
    """The names after FROM and JOIN, each with "(" if one follows."""
    return [(name, called) for name, called in _SOURCE.findall(sql)]
