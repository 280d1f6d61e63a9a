"""The block list: placeholders, values that identify nobody and would unite strangers. They never link.

The same list applies to session_id, account_id, issue_id, order_id and campaign: `undefined` is no
visit and no company.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from streams.identity.policy.normalise import QUOTES, clean, is_placeholder_phone

#: Compared without case and without quotes and brackets around it, with the whole normalised value.
DEFAULT_VALUES: Final = (
    *("null", "(null)", r"\n", "none", "nil", "undefined", "nan", "void"),
    *("n/a", "n.a.", "#n/a", "na", "empty", "blank", "[object object]"),
    *("not_set", "not set", "not-set", "unset", "unknown", "unspecified", "missing"),
    *("not available", "not applicable", "not provided", "not given", "not found", "deleted", "redacted"),
    *("anonymous", "anonymous user", "anon", "guest", "guest user", "visitor", "nobody", "noone", "no one"),
    *("distinct_id", "distinctid", "not_authenticated"),
    *("test", "tester", "testing", "test user", "testuser", "dummy", "fake", "example", "placeholder"),
    *("true", "false", "yes", "no", "0", "-1"),
)

#: Name → regular expression for the whole normalised value, without case.
DEFAULT_PATTERNS: Final = {
    "all-zero numbers, UUIDs and advertising ids": r"[+({]?0[0()\s.:/}-]*",
    "the largest UUID and the broadcast address": r"f{8}(?:-f{4}){3}-f{12}|ff(?:[:-]ff){5}",
    "the address that Android and iOS give instead of the device's own": r"02(?:[:-]00){5}",
    "punctuation only": r"[-\u2010-\u2015\u2212_.,:;!?*#/\\|~+=^&$%@'\"`\s()\[\]{}<>\u00b7\u2026]+",
    "characters that could not be read": r"\ufffd+",
    "crossed out": r"x{3,}",
    "a template that nobody filled in": (
        # the look-ahead avoids the search in values without any of these characters
        r"(?=[^{%<*\[]*[{%<*\[]).*(?:\{\{[^{}]*\}\}|[$#]\{[^{}]*\}|%%[\w.-]+%%|<%.*%>|\*\|.*\|\*|\[\[[^\[\]]*\]\]).*"
        # {idfa}, but no GUID in braces; %ID%, __IDFA__, <user_id>
        r"|\{(?![0-9a-f]{32}\})[a-z_][\w.]*\}|%[a-z_]+%|__[a-z]+(?:_[a-z]+)*__|<[a-z_]\w*>"
    ),
    "an address of nobody": (
        r"(?:null|none|undefined|anonymous|anon|guest|unknown|test|tester|testing|no-?email|no-?mail|nobody"
        r"|no-?reply|do-?not-?reply|dummy|fake|noone|na|n/a|x{3,}|test[-_.]?user)@.*"
    ),
    "what clerks type instead of an address": (
        r"(?P<word>(?P<letter>[a-z0-9])(?P=letter)*|abc|asd|asdf|asdfg|qwe|qwer|qwerty|123|1234|12345)"
        r"@(?P=word)\.[a-z.]+"
    ),
    "domains that cannot receive mail (RFC 2606), and no-mail": (
        r".*@(?:[^@]+\.)?(?:invalid|localhost|no-?e?mail\.[a-z]+)"
    ),
}

#: All patterns as one, which takes a third of the time.
DEFAULT_PATTERN: Final = "|".join(f"(?:{pattern})" for pattern in DEFAULT_PATTERNS.values())

_BRACKETS: Final = {"(": ")", "[": "]", "<": ">", "{": "}"}
_WRAPPERS: Final = QUOTES | _BRACKETS


class Blocklist:
    """Blocked values and patterns, compiled. `phones`: whether placeholders of phone numbers are blocked, too."""

    def __init__(self, values: Iterable[str], patterns: Iterable[str], *, phones: bool = True) -> None:
        self._values = frozenset(_folded(value) for value in values)
        self._patterns = tuple(re.compile(pattern, re.IGNORECASE | re.DOTALL) for pattern in patterns)
        self._phones = phones

    def as_json(self) -> list[Any]:
        """The values, patterns and phone rule that it blocks: equal for lists that block alike."""
        return [sorted(self._values), sorted(one.pattern for one in self._patterns), self._phones]

    def __contains__(self, value: str) -> bool:
        """Whether the value is blank or a placeholder."""
        for text in _layers(_folded(value)):
            if text == "" or text in self._values:
                return True
            for pattern in self._patterns:
                if pattern.fullmatch(text):
                    return True
        return False

    def blocks_phone(self, number: str) -> bool:
        """Whether a normalised phone number is a placeholder."""
        return self._phones and is_placeholder_phone(number)


def _folded(value: str) -> str:
    text = clean(value)
    return text.lower() if text.isascii() else text.casefold()


def _layers(text: str) -> Iterator[str]:
    """The text, then without each pair of quotes, escaped ones too, and brackets around it."""
    yield text
    if text[-1:].isalnum():
        return
    text = text.replace('\\"', '"')
    while len(text) > 1 and _WRAPPERS.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
        yield text
