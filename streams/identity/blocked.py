"""Values that stand for nobody: placeholders that would glue strangers together. They never link."""

import re
from collections.abc import Iterable
from typing import Final

#: Compared without case, with the whole normalised value.
DEFAULT_VALUES: Final = (
    *("null", "(null)", "none", "(none)", "nil", "undefined", "nan", "n/a", "na", "[object object]"),
    *("not_set", "not set", "(not set)", "unset", "unknown", "unspecified", "missing", "not available"),
    *("anonymous", "anon", "guest", "nobody", "noone", "test", "tester", "testing", "dummy", "fake"),
    *("true", "false", "0", "-1", "-", "--", "?"),
)

#: Regular expressions for the whole normalised value, without case.
DEFAULT_PATTERNS: Final = (
    r"[+({]?0[0()\s.:/}-]*",  # all-zero numbers, UUIDs and advertising ids
    r"(?:null|none|undefined|anonymous|anon|guest|unknown|test|tester|testing|no-?email|no-?mail|nobody"
    r"|no-?reply|do-?not-?reply|dummy|fake|noone)@.*",
)


class Blocklist:
    """Blocked values and patterns, compiled."""

    def __init__(self, values: Iterable[str], patterns: Iterable[str]) -> None:
        self._values = frozenset(value.strip().casefold() for value in values)
        self._patterns = tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns)

    def __contains__(self, value: str) -> bool:
        text = value.strip().casefold()
        return (
            text == "" or text in self._values or any(pattern.fullmatch(text) for pattern in self._patterns)
        )
