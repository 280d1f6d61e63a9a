"""What a person types becomes the parameters of a question: durations, times, lists and numbers."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from schemas.errors import SettingsError
from schemas.keys import is_uuid
from schemas.touchpoint.rules import EARLIEST_MS
from sinks.clickhouse.read.questions import Parameter, Question

#: Suffix of parameters in seconds. The option has the name without it: within_seconds is --within.
SECONDS: Final = "_seconds"
EVER: Final = "ever"  #: as a time: the earliest that a touchpoint can have
NOW: Final = "now"
LONGEST_SECONDS: Final = 146_000 * 86_400  #: more than lies between any two touchpoints

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)([smhdw]?)")
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def option_of(parameter: Parameter) -> str:
    """The option that gives a parameter: --within for within_seconds."""
    return "--" + parameter.name.removesuffix(SECONDS).replace("_", "-")


def values_of(
    question: Question, typed: Mapping[str, str | Sequence[str] | None], moment: Callable[[str, str], int]
) -> dict[str, Any]:
    """The values of a question's parameters from what was typed, by parameter name; defaults for what was not.

    `moment` reads a time: the text and the option's name to UTC ms. Raises SettingsError, which names the option.
    """
    values = {item.name: _value(item, typed.get(item.name), moment) for item in question.parameters}
    if "since" in values and "until" in values and values["since"] >= values["until"]:
        raise SettingsError("--since is not before --until: the period has no time in it")
    return values


def seconds(text: str, option: str) -> int:
    """Whole seconds of `90s`, `30m`, `2h`, `7d`, `1w` or a bare number. Raises SettingsError naming the option."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise SettingsError(f"{option} is {text!r}: write how long, like 30m, 2h or 7d")
    length = float(found[1]) * _UNITS[found[2]]
    if length > LONGEST_SECONDS:
        raise SettingsError(f"{option} is {text!r}: write at most 146000d, which is 400 years")
    return round(length)


def _value(item: Parameter, typed: str | Sequence[str] | None, moment: Callable[[str, str], int]) -> Any:
    option = option_of(item)
    text = item.default if typed is None else typed
    if text is None:
        raise SettingsError(f"{option} is missing")
    if item.type == "Array(String)":
        parts = text.split(",") if isinstance(text, str) else text
        return [part.strip() for part in parts if part.strip()]
    if not isinstance(text, str):
        raise SettingsError(f"{option} takes one value")
    if item.type == "DateTime64":
        return EARLIEST_MS if text == EVER else moment("0s" if text == NOW else text, option)
    if item.name.endswith(SECONDS):
        return seconds(text, option)
    if item.type == "UUID":
        if not is_uuid(text.lower()):
            raise SettingsError(f"{option} is {text!r}: write an id as views show it, a UUID")
        return text.lower()
    return text if item.type == "String" else _number(item, text)


def _number(item: Parameter, text: str) -> int | float:
    try:
        number = float(text) if item.type == "Float64" else int(text)
    except ValueError:
        number = -1
    if not 0 <= number < 2**63:
        raise SettingsError(f"{option_of(item)} is {text!r}: write a number, 0 or more")
    return number
