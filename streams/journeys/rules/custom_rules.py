"""Rules that users add: expectations with a deadline, and counts within a window (journey.toml explains both)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.errors import SettingsError
from schemas.toml_text import TomlText, is_number, is_texts

Flat = Mapping[tuple[str, ...], Any]

_HOUR: Final = 3_600_000
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")
_EXPECTATION_KEYS: Final = ("opened_by", "met_by", "until", "within_hours", "met_in", "signal")
_COUNT_KEYS: Final = ("touchpoints", "at_least", "within_hours")
#: The largest `at_least`: a journey remembers as many touchpoints for each rule.
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class ExpectationRule:
    """A touchpoint that should follow another one until a deadline."""

    name: str
    opened_by: tuple[str, ...]  #: touchpoint types, or effects
    met_by: tuple[str, ...]
    within_ms: int | None  #: None: until the end of the session in which it was opened
    any_session: bool
    signal: str  #: the kind that is raised when it is missed

    def words(self, session_gap_ms: int) -> str:
        """The rule as a sentence."""
        met_by = " or ".join(self.met_by)
        if self.within_ms is not None:
            return f"no {met_by} within {self.within_ms / _HOUR:g} h after {' or '.join(self.opened_by)}"
        gap = f"{session_gap_ms / 60_000:g} minutes after its last activity"
        return f"a session with {' or '.join(self.opened_by)} ended without {met_by}, {gap}"


@dataclass(frozen=True, slots=True)
class CountRule:
    """At least `at_least` touchpoints of some types within a window."""

    name: str
    touchpoints: tuple[str, ...]  #: touchpoint types, or effects
    at_least: int
    within_ms: int

    def words(self) -> str:
        """The rule as a sentence."""
        return f"{self.at_least} of {', '.join(self.touchpoints)} within {self.within_ms / _HOUR:g} h"


def check_custom(keys: tuple[str, ...], value: object, source: TomlText) -> bool:
    """Check an entry of an expectation or a count. Returns False if it is neither. Raises SettingsError."""
    if keys[0] not in ("expectations", "rules"):
        return False
    where = source.place(*keys)
    allowed = _EXPECTATION_KEYS if keys[0] == "expectations" else _COUNT_KEYS
    if len(keys) != 3 or keys[2] not in allowed:
        raise SettingsError(f"{where} is unknown: in [{keys[0]}.NAME] use {', '.join(allowed)}")
    if not _NAME.fullmatch(keys[1]):
        raise SettingsError(f"{where}: a rule's name is made of a-z, 0-9 and _, at most 64, a letter first")
    if keys[0] == "expectations" and keys[1] == "case":
        raise SettingsError(f"{where}: a case is due by signals.issue_overdue.hours; choose another name")
    problem = _problem(keys[2], value)
    if problem:
        raise SettingsError(f"{where} is {value!r}: {problem}")
    return True


def _problem(key: str, value: object) -> str:
    if key in ("opened_by", "met_by", "touchpoints"):
        if value and is_texts(value, empty=False):
            return ""
        return 'it must be a list of touchpoint types or effects, like ["order_placed"]'
    if key == "until":
        return "" if value == "session_end" else 'use "session_end", or give within_hours'
    if key == "met_in":
        return "" if value in ("any_session", "same_session") else 'use "any_session" or "same_session"'
    if key == "signal":
        named = isinstance(value, str) and _NAME.fullmatch(value)
        return "" if named else "a signal's name is made of a-z, 0-9 and _, at most 64, a letter first"
    if key == "at_least":
        whole = is_number(value, 1, _MOST, whole=True)
        return "" if whole else f"it must be a whole number from 1 to {_MOST}"
    hours = value and is_number(value, 0, 10_000)
    return "" if hours else "it must be a number of hours, more than 0 and at most 10000"


def expectations_of(values: Flat, given: Flat, source: TomlText) -> tuple[ExpectationRule, ...]:
    """The expectations among flat entries; `given` are those of the user's file. Raises SettingsError."""
    rules = []
    for name, entry in _tables(values, "expectations").items():
        where = source.place("expectations", name)
        for key in ("opened_by", "met_by"):
            if key not in entry:
                raise SettingsError(f"{where} has no {key}: list touchpoint types or effects")
        hours = entry.get("within_hours")
        if hours is not None and "until" in entry:
            if ("expectations", name, "until") in given:  # otherwise the built-in rule's, which hours replace
                raise SettingsError(f"{where} has both until and within_hours: remove one")
        elif hours is None and "until" not in entry:
            raise SettingsError(f'{where} has no deadline: give within_hours, or until = "session_end"')
        if hours is not None and entry.get("met_in") == "same_session":
            raise SettingsError(
                f"{where} is due after hours, not in a session, and nothing could meet it:"
                ' remove met_in = "same_session", or use until = "session_end"'
            )
        rules.append(
            ExpectationRule(
                name, tuple(entry["opened_by"]), tuple(entry["met_by"]),
                None if hours is None else round(hours * _HOUR),
                entry.get("met_in", "any_session") == "any_session", entry.get("signal", f"{name}_missed"),
            )
        )  # fmt: skip
    return tuple(rules)


def counts_of(values: Flat, source: TomlText) -> tuple[CountRule, ...]:
    """The counts among flat entries. Raises SettingsError."""
    rules = []
    for name, entry in _tables(values, "rules").items():
        for key in _COUNT_KEYS:
            if key not in entry:
                raise SettingsError(f"{source.place('rules', name)} has no {key}: add it")
        if any(other[:2] == ("signals", name) or value == name for other, value in values.items()):
            where = source.place("rules", name)
            raise SettingsError(f"{where}: there is a signal of that name already; choose another")
        within = round(entry["within_hours"] * _HOUR)
        rules.append(CountRule(name, tuple(entry["touchpoints"]), entry["at_least"], within))
    return tuple(rules)


def _tables(values: Flat, kind: str) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {}
    for keys, value in values.items():
        if keys[0] == kind:
            tables.setdefault(keys[1], {})[keys[2]] = value
    return tables
