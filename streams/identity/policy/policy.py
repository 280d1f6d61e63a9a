"""The identity policy: how identifiers are prepared, and which rules bind the profiles that hold them.

Prepared means: normalised, without blocked values and repetitions, pseudonymised where the policy says so,
strongest first. Preparing what is prepared changes nothing, so every stage may do it. A tenant may have rules
of its own: a caller that knows the tenant calls `for_tenant` first.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple, TypeAlias

from schemas.errors import SettingsError
from schemas.keys import NAME_PATTERN
from schemas.records import Identifier
from schemas.toml_text import TomlText, is_number, is_texts, parse_toml
from schemas.touchpoint.rules import MAX_IDENTIFIER_CHARACTERS
from streams.identity.policy.blocked import DEFAULT_PATTERN, DEFAULT_VALUES, Blocklist
from streams.identity.policy.normalise import NORMALISERS, clean, is_region
from streams.identity.policy.pseudonyms import KEY_ID, Pseudonyms, is_pseudonym

#: How many identifiers' preparation is remembered: parsing a phone number takes 100 times the look-up.
#: Tenants with rules of their own share this number.
CACHED_IDENTIFIERS: Final = 65536

_MAX_PRIORITY: Final = 1000
_MAX_LIMIT: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class TypeRule:
    """The rule of one identifier type."""

    priority: int = 50  #: the lower the stronger
    normaliser: str = "none"
    pseudonymise: bool = False
    unique: bool = False  #: a profile holds one value at most, unless an asserted link brings another
    limit: int | None = None  #: a profile holds at most so many values


#: A table of the document with its path: the document itself, or a tenant's.
_Part: TypeAlias = tuple[tuple[str, ...], dict[str, Any]]

_NO_RULE: Final = TypeRule()
_NO_OVERRIDES: Final[_Part] = ((), {})
_PRIVATE_NORMALISERS: Final = frozenset({"email", "phone"})
_PARTS: Final = ("phone", "types", "blocked")
#: Samples of real values: a pattern that matches all of them would block everything.
_REAL_VALUES: Final = ("ann@shop.de", "+493012345678", "8c2fd1b0-4e1a-4f4c-9d53-7d0b8e1a2c43", "K-100245")


class _Prepared(NamedTuple):
    priority: int
    type: str
    value: str


class IdentityPolicy:
    """Prepares identifiers and knows the rules of their types. Made by `parse`."""

    def __init__(
        self,
        rules: Mapping[str, TypeRule],
        region: str,
        blocked: Blocklist,
        pseudonyms: Pseudonyms,
        tenants: "Mapping[str, IdentityPolicy] | None" = None,
        cached: int = CACHED_IDENTIFIERS,
        readable: frozenset[str] = frozenset(),
    ) -> None:
        self.rules = rules  #: of the types that the policy names
        self.readable = readable  #: types that lost their pseudonymisation by an explicit line
        self.region = region  #: ISO 3166 country of phone numbers without a country code; "" for none
        self.tenants = tenants or {}  #: the policies of the tenants that have rules of their own
        self._blocked = blocked
        self._pseudonyms = pseudonyms
        self._prepared = lru_cache(maxsize=cached)(self._prepare)
        self._blocks = lru_cache(maxsize=cached)(blocked.__contains__)

    @classmethod
    def parse(
        cls, text: str, secret: bytes, key_id: str, origin: str = "identity.toml", base: str = ""
    ) -> "IdentityPolicy":
        """Read a policy (the built-in identity.toml documents the format).

        It is laid over the policy `base`, setting by setting. `secret` is the pseudonymisation key, empty if there
        is none; `key_id` stands in every pseudonym. Raises SettingsError, which names `origin`, the line and the fix.
        """
        return _Reader(text, origin, base).policy(secret, key_id)

    def for_tenant(self, tenant: str) -> "IdentityPolicy":
        """The policy with this tenant's own rules, always the same object; asked again it answers itself."""
        return self.tenants.get(tenant, self)

    def rule(self, type_: str) -> TypeRule:
        """The rule of an identifier type; the default if the policy does not name it."""
        return self.rules.get(type_, _NO_RULE)

    def blocked(self, identifier: Identifier) -> bool:
        """Whether this value is a placeholder and therefore ignored."""
        return self._prepared(identifier["type"], identifier["value"]) is None

    def means_nothing(self, text: str) -> bool:
        """Whether a session_id, account_id, issue_id, order_id or campaign is blank or blocked."""
        return self._blocks(text)

    def hides(self) -> bool:
        """Whether any type is pseudonymised, for any tenant."""
        return any(
            rule.pseudonymise for policy in (self, *self.tenants.values()) for rule in policy.rules.values()
        )

    def key_check(self) -> tuple[str, str] | None:
        """Id and check value of the key, which reveals no key; None if the policy pseudonymises nothing."""
        if not self._pseudonyms.secret or not self.hides():
            return None
        return self._pseudonyms.key_id, self._pseudonyms.check_value()

    def usable(self, identifiers: list[Identifier]) -> list[Identifier]:
        """The prepared identifiers, strongest first: the first one owns the touchpoint. Empty if all are blocked."""
        prepared = [self._prepared(identifier["type"], identifier["value"]) for identifier in identifiers]
        strongest_first = sorted({found for found in prepared if found is not None})
        return [Identifier(type=type_, value=value) for _, type_, value in strongest_first]

    def _prepare(self, type_: str, value: str) -> _Prepared | None:
        rule = self.rule(type_)
        if is_pseudonym(value):
            return _Prepared(rule.priority, type_, value)
        normalised = NORMALISERS[rule.normaliser](value, self.region)
        if normalised in self._blocked:
            return None
        # in a phone number's form words that stand for nobody lose their spaces and signs: (not set)
        words = NORMALISERS["lower"](value, self.region) if rule.normaliser == "phone" else ""
        if words and (words in self._blocked or self._blocked.blocks_phone(normalised)):
            return None
        # some values grow, such as a domain in its ASCII form; a prepared value must stay within the contract's limit
        value = normalised if len(normalised) <= MAX_IDENTIFIER_CHARACTERS else clean(value)
        return _Prepared(
            rule.priority, type_, self._pseudonyms.of(type_, value) if rule.pseudonymise else value
        )


class _Reader:
    """Checks a policy's text; every refusal says where and what to write instead."""

    def __init__(self, text: str, origin: str, base: str) -> None:
        source = TomlText(text, origin)
        self._document = source.tables
        self._error = source.error
        self._base = parse_toml(base, "the built-in identity.toml")

    def policy(self, secret: bytes, key_id: str) -> IdentityPolicy:
        self._only_known((), self._document, (*_PARTS, "tenants"))
        if not KEY_ID.fullmatch(key_id):
            raise SettingsError("TOUCHLINE_PSEUDONYM_KEY_ID may hold 1 to 32 letters, digits, dots, _ and -")
        pseudonyms = Pseudonyms(secret, key_id)
        overrides = self._table((), self._document, "tenants")
        cached = max(1024, CACHED_IDENTIFIERS // (1 + len(overrides)))
        tenants = {name: self._tenant(name, overrides, pseudonyms, cached) for name in overrides}
        return self._build(_NO_OVERRIDES, pseudonyms, tenants, cached)

    def _tenant(
        self, name: str, overrides: dict[str, Any], pseudonyms: Pseudonyms, cached: int
    ) -> IdentityPolicy:
        path = ("tenants", name)
        if not NAME_PATTERN.fullmatch(name):
            raise self._error(path, "a tenant's name may hold 1 to 64 letters, digits, dots, _ and -")
        table = self._table(("tenants",), overrides, name)
        self._only_known(path, table, _PARTS)
        return self._build((path, table), pseudonyms, {}, cached)

    def _build(
        self,
        override: _Part,
        pseudonyms: Pseudonyms,
        tenants: Mapping[str, IdentityPolicy],
        cached: int,
    ) -> IdentityPolicy:
        """The policy of the whole document, or of a tenant, whose table overrides single settings."""
        parts: tuple[_Part, ...] = (((), self._base), ((), self._document), override)
        rules, readable = self._rules(parts)
        for name, rule in rules.items():
            if rule.pseudonymise and not pseudonyms.secret:
                raise self._error(
                    (*override[0], "types", name),
                    "pseudonymised, but there is no key: set TOUCHLINE_PSEUDONYM_KEY to the output of"
                    " `openssl rand -hex 32` and keep it, or write pseudonymise = false",
                )
        return IdentityPolicy(
            rules, self._region(parts), self._blocklist(parts), pseudonyms, tenants, cached, readable
        )

    def _rules(self, parts: tuple[_Part, ...]) -> tuple[dict[str, TypeRule], frozenset[str]]:
        """The rules, and the types that were pseudonymised until an explicit line said otherwise."""
        settings: dict[str, dict[str, Any]] = {}
        private: set[str] = (
            set()
        )  # only an explicit pseudonymise = false in a later part makes these readable
        for path, part in parts:
            types = self._table(path, part, "types")
            for name in types:
                said = self._rule_settings((*path, "types"), types, name)
                settings[name] = settings.get(name, {}) | said
                if said.get("normaliser") in _PRIVATE_NORMALISERS or said.get("pseudonymise"):
                    private.add(name)
        for name, said in settings.items():
            said.setdefault("pseudonymise", name in private)
        rules = {name: TypeRule(**said) for name, said in settings.items()}
        return rules, frozenset(name for name in private if not rules[name].pseudonymise)

    def _rule_settings(self, path: tuple[str, ...], types: dict[str, Any], name: str) -> dict[str, Any]:
        if not NAME_PATTERN.fullmatch(name):
            raise self._error((*path, name), "a type's name may hold 1 to 64 letters, digits, dots, _ and -")
        table = self._table(path, types, name)
        path = (*path, name)
        self._only_known(path, table, ("priority", "normaliser", "pseudonymise", "unique", "limit"))
        normaliser = table.get("normaliser", "none")
        if not isinstance(normaliser, str) or normaliser not in NORMALISERS:
            raise self._error((*path, "normaliser"), f"write one of {', '.join(NORMALISERS)}")
        for switch in ("pseudonymise", "unique"):
            self._switch(path, table, switch)
        self._whole(path, table, "priority", 0, _MAX_PRIORITY)
        self._whole(path, table, "limit", 1, _MAX_LIMIT)
        return dict(table)

    def _region(self, parts: tuple[_Part, ...]) -> str:
        region = ""
        for path, part in parts:
            table = self._table(path, part, "phone")
            path = (*path, "phone")
            self._only_known(path, table, ("default_region",))
            region = table.get("default_region", region)
            if not isinstance(region, str) or not is_region(region):
                raise self._error(
                    (*path, "default_region"), 'write a country of ISO 3166 like "DE", or "" for none'
                )
        return region

    def _blocklist(self, parts: tuple[_Part, ...]) -> Blocklist:
        """A tenant's values and patterns are blocked besides the general ones."""
        defaults = True
        values: list[str] = []
        patterns: list[str] = []
        for path, part in parts:
            table = self._table(path, part, "blocked")
            path = (*path, "blocked")
            self._only_known(path, table, ("defaults", "values", "patterns"))
            defaults = self._switch(path, table, "defaults", default=defaults)
            values += self._texts(path, table, "values")
            patterns += self._patterns(path, table)
        if defaults:
            return Blocklist((*DEFAULT_VALUES, *values), (DEFAULT_PATTERN, *patterns))
        return Blocklist(values, patterns, phones=False)

    def _patterns(self, path: tuple[str, ...], table: dict[str, Any]) -> list[str]:
        patterns = self._texts(path, table, "patterns")
        for pattern in patterns:
            try:
                compiled = re.compile(pattern)
            except re.error as error:
                raise self._error(
                    (*path, "patterns"), f"{pattern!r} is not a regular expression ({error}): correct it"
                ) from error
            if all(compiled.fullmatch(sample) for sample in _REAL_VALUES):
                raise self._error(
                    (*path, "patterns"), f"{pattern!r} would block every value: make it more particular"
                )
        return patterns

    def _table(self, path: tuple[str, ...], parent: dict[str, Any], name: str) -> dict[str, Any]:
        table = parent.get(name, {})
        if not isinstance(table, dict):
            path = (*path, name)
            raise self._error(path, f"not a table: write [{'.'.join(path)}] and its settings below")
        return table

    def _only_known(self, path: tuple[str, ...], table: dict[str, Any], known: tuple[str, ...]) -> None:
        for name in table:
            if name not in known:
                raise self._error((*path, name), f"unknown; write one of {', '.join(known)}")

    def _switch(
        self, path: tuple[str, ...], table: dict[str, Any], name: str, *, default: bool = False
    ) -> bool:
        value = table.get(name, default)
        if not isinstance(value, bool):
            raise self._error((*path, name), "write true or false")
        return value

    def _whole(self, path: tuple[str, ...], table: dict[str, Any], name: str, least: int, most: int) -> None:
        value = table.get(name, least)
        if not is_number(value, least, most, whole=True):
            raise self._error((*path, name), f"write a whole number from {least} to {most}")

    def _texts(self, path: tuple[str, ...], table: dict[str, Any], name: str) -> list[str]:
        value = table.get(name, [])
        if not is_texts(value):
            raise self._error((*path, name), 'write a list of texts, like ["walk-in"]')
        return value
