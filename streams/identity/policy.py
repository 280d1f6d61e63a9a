"""The identity policy: how identifiers are prepared, and which rules bind the profiles that hold them.

Prepared means: normalised, without blocked values and repetitions, pseudonymised where the policy says so,
strongest first. Preparing what is prepared changes nothing, so every stage may do it.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from schemas.errors import SettingsError
from schemas.keys import NAME_PATTERN
from schemas.records import Identifier
from schemas.toml_text import parse_toml, place
from streams.identity.blocked import DEFAULT_PATTERNS, DEFAULT_VALUES, Blocklist
from streams.identity.normalise import NORMALISERS, is_region

#: How many identifiers' preparation is remembered: parsing a phone number takes 100 times the look-up.
CACHED_IDENTIFIERS: Final = 65536

_PSEUDONYM: Final = re.compile(r"hmac:[A-Za-z0-9_.-]{1,32}:[0-9a-f]{32}")
_KEY_ID: Final = re.compile(r"[A-Za-z0-9_.-]{1,32}")
_MAX_PRIORITY: Final = 1000
_MAX_LIMIT: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class TypeRule:
    """What the policy says of one identifier type."""

    priority: int = 50  #: the lower the stronger
    normaliser: str = "none"
    pseudonymise: bool = False
    unique: bool = False  #: a profile holds one value at most, unless an asserted link brings another
    limit: int | None = None  #: a profile holds at most so many values


_NO_RULE: Final = TypeRule()
_PRIVATE_NORMALISERS: Final = frozenset({"email", "phone"})


class _Prepared(NamedTuple):
    priority: int
    type: str
    value: str


class IdentityPolicy:
    """Prepares identifiers and knows the rules of their types. Made by `parse`."""

    def __init__(
        self, rules: dict[str, TypeRule], region: str, blocked: Blocklist, secret: bytes, key_id: str
    ) -> None:
        self._rules = rules
        self._region = region
        self._blocked = blocked
        self._secret = secret
        self._key_id = key_id
        self._prepared = lru_cache(maxsize=CACHED_IDENTIFIERS)(self._prepare)

    @classmethod
    def parse(cls, text: str, secret: bytes, key_id: str, origin: str = "identity.toml") -> "IdentityPolicy":
        """Read a policy (the built-in identity.toml documents the format).

        `secret` is the pseudonymisation key, empty if there is none; `key_id` stands in every pseudonym.
        Raises SettingsError, which names `origin`, the line and the fix.
        """
        return _Reader(text, origin).policy(secret, key_id)

    def rule(self, type_: str) -> TypeRule:
        """The rule of an identifier type; the default if the policy does not name it."""
        return self._rules.get(type_, _NO_RULE)

    def blocked(self, identifier: Identifier) -> bool:
        """Whether this value stands for nobody and is therefore ignored."""
        return self._prepared(identifier["type"], identifier["value"]) is None

    def usable(self, identifiers: list[Identifier]) -> list[Identifier]:
        """The identifiers prepared: the first one owns the touchpoint. Empty if all are blocked."""
        prepared = [self._prepared(identifier["type"], identifier["value"]) for identifier in identifiers]
        strongest_first = sorted({found for found in prepared if found is not None})
        return [Identifier(type=type_, value=value) for _, type_, value in strongest_first]

    def _prepare(self, type_: str, value: str) -> _Prepared | None:
        rule = self.rule(type_)
        if _PSEUDONYM.fullmatch(value):
            return _Prepared(rule.priority, type_, value)
        value = NORMALISERS[rule.normaliser](value, self._region)
        if value in self._blocked:
            return None
        return _Prepared(rule.priority, type_, self._pseudonym(type_, value) if rule.pseudonymise else value)

    def _pseudonym(self, type_: str, value: str) -> str:
        digest = hmac.new(self._secret, f"{type_}\x1f{value}".encode(), hashlib.sha256)
        return f"hmac:{self._key_id}:{digest.hexdigest()[:32]}"


class _Reader:
    """Checks a policy's text; every refusal says where and what to write instead."""

    def __init__(self, text: str, origin: str) -> None:
        self._text = text
        self._origin = origin
        self._document = parse_toml(text, origin)

    def policy(self, secret: bytes, key_id: str) -> IdentityPolicy:
        if "tenants" in self._document:
            raise self._error(
                ("tenants",), "overrides per tenant are not supported yet: move the rules to [types]"
            )
        self._only_known((), self._document, ("phone", "types", "blocked"))
        rules = {name: self._rule(name, table) for name, table in self._table(("types",)).items()}
        if not _KEY_ID.fullmatch(key_id):
            raise SettingsError("TOUCHLINE_PSEUDONYM_KEY_ID may hold 1 to 32 letters, digits, dots, _ and -")
        for name, rule in rules.items():
            if rule.pseudonymise and not secret:
                raise self._error(
                    ("types", name),
                    "pseudonymised, but there is no key: set TOUCHLINE_PSEUDONYM_KEY to the output of"
                    " `openssl rand -hex 32` and keep it, or write pseudonymise = false",
                )
        return IdentityPolicy(rules, self._region(), self._blocklist(), secret, key_id)

    def _region(self) -> str:
        table = self._table(("phone",))
        self._only_known(("phone",), table, ("default_region",))
        region = table.get("default_region", "")
        if not isinstance(region, str) or not is_region(region):
            raise self._error(
                ("phone", "default_region"), 'write a country of ISO 3166 like "DE", or "" for none'
            )
        return region

    def _rule(self, name: str, table: object) -> TypeRule:
        path = ("types", name)
        if not NAME_PATTERN.fullmatch(name):
            raise self._error(path, "a type's name may hold 1 to 64 letters, digits, dots, _ and -")
        if not isinstance(table, dict):
            raise self._error(path, f"not a table: write [types.{name}] and its settings below")
        self._only_known(path, table, ("priority", "normaliser", "pseudonymise", "unique", "limit"))
        normaliser = table.get("normaliser", "none")
        if not isinstance(normaliser, str) or normaliser not in NORMALISERS:
            raise self._error((*path, "normaliser"), f"write one of {', '.join(NORMALISERS)}")
        priority = self._whole(path, table, "priority", 0, _MAX_PRIORITY)
        return TypeRule(
            priority=_NO_RULE.priority if priority is None else priority,
            normaliser=normaliser,
            pseudonymise=self._switch(
                path, table, "pseudonymise", default=normaliser in _PRIVATE_NORMALISERS
            ),
            unique=self._switch(path, table, "unique", default=False),
            limit=self._whole(path, table, "limit", 1, _MAX_LIMIT),
        )

    def _blocklist(self) -> Blocklist:
        path = ("blocked",)
        table = self._table(path)
        self._only_known(path, table, ("defaults", "values", "patterns"))
        values, patterns = self._texts(path, table, "values"), self._texts(path, table, "patterns")
        for pattern in patterns:
            try:
                re.compile(pattern)
            except re.error as error:
                raise self._error(
                    (*path, "patterns"), f"{pattern!r} is not a regular expression ({error}): correct it"
                ) from error
        if self._switch(path, table, "defaults", default=True):
            return Blocklist((*DEFAULT_VALUES, *values), (*DEFAULT_PATTERNS, *patterns))
        return Blocklist(values, patterns)

    def _table(self, path: tuple[str]) -> dict[str, Any]:
        table = self._document.get(path[0], {})
        if not isinstance(table, dict):
            raise self._error(path, f"not a table: write [{path[0]}] and its settings below")
        return table

    def _only_known(self, path: tuple[str, ...], table: dict[str, Any], known: tuple[str, ...]) -> None:
        for name in table:
            if name not in known:
                raise self._error((*path, name), f"unknown; write one of {', '.join(known)}")

    def _switch(self, path: tuple[str, ...], table: dict[str, Any], name: str, *, default: bool) -> bool:
        value = table.get(name, default)
        if not isinstance(value, bool):
            raise self._error((*path, name), "write true or false")
        return value

    def _whole(
        self, path: tuple[str, ...], table: dict[str, Any], name: str, least: int, most: int
    ) -> int | None:
        value = table.get(name)
        if value is None:
            return None
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._error((*path, name), f"write a whole number from {least} to {most}")
        return value

    def _texts(self, path: tuple[str, ...], table: dict[str, Any], name: str) -> list[str]:
        value = table.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self._error((*path, name), 'write a list of texts, like ["walk-in"]')
        return value

    def _error(self, path: tuple[str, ...], fix: str) -> SettingsError:
        return SettingsError(f"{place(self._text, self._origin, *path)}: {fix}")
