"""Values that stand for nobody: placeholders that would glue strangers together. They never link."""

import re
from collections.abc import Iterable
from typing import Final

#: Compared without case, with the whole normalised value.
DEFAULT_VALUES: Final = (
    *("null", "(null)", "<null>", r"\n", "none", "(none)", "nil", "undefined", "(undefined)", "nan", "void"),
    *("n/a", "n.a.", "#n/a", "na", "empty", "(empty)", "blank", "(blank)", "[object object]", "{}", "[]"),
    *(
        "not_set",
        "not set",
        "(not set)",
        "not-set",
        "unset",
        "unknown",
        "(unknown)",
        "unspecified",
        "missing",
    ),
    *("not available", "not applicable", "not provided", "not given", "not found", "deleted", "redacted"),
    *("anonymous", "anonymous user", "anon", "guest", "guest user", "visitor", "nobody", "noone", "no one"),
    *("test", "tester", "testing", "test user", "testuser", "dummy", "fake", "example", "placeholder"),
    *("true", "false", "yes", "no", "0", "-1", "-", "--", "---", "?", "??", "???", ".", "..", "..."),
    *("xxx", "xxxx", "xxxxx"),
)

#: Regular expressions for the whole normalised value, without case.
DEFAULT_PATTERNS: Final = (
    r"[+({]?0[0()\s.:/}-]*",  # all-zero numbers, UUIDs and advertising ids
    r"(?:null|none|undefined|anonymous|anon|guest|unknown|test|tester|testing|no-?email|no-?mail|nobody"
    r"|no-?reply|do-?not-?reply|dummy|fake|noone|na|n/a|x{3,}|test[-_.]?user)@.*",
    r".*@(?:[^@]+\.)?(?:invalid|localhost|no-?e?mail\.[a-z]+)",  # RFC 2606, and what clerks type
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
