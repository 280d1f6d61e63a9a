"""The text of an identity policy, read and checked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

from schemas.keys import NAME_PATTERN
from schemas.toml_text import TomlText, is_number, is_texts, parse_toml
from schemas.touchpoint.names import identifier_type, type_letters
from schemas.touchpoint.rules import is_type_name
from streams.identity.policy.blocked import DEFAULT_PATTERN, DEFAULT_VALUES, Blocklist
from streams.identity.policy.normalise import NORMALISERS, is_region

_MAX_PRIORITY: Final = 1000
_MAX_LIMIT: Final = 1_000_000
#: The numbers of [limits]: what holds where neither the policy nor its base says it, and the largest value. A late link
#: at an identifier decides `close_after` links again, so that number bounds its cost.
_BOUNDS: Final = {
    "close_after": (1, 1000),
    "quarantine_after": (1, 10_000),
    "component_size": (10_000, 10_000),
}

#: A table of the document with its path: the document itself, or a tenant's.
_Part: TypeAlias = tuple[tuple[str, ...], dict[str, Any]]

_PRIVATE_NORMALISERS: Final = frozenset({"email", "phone"})
_PARTS: Final = ("phone", "types", "aliases", "blocked", "limits")
#: Samples of real values: a pattern that matches all of them would block everything.
_REAL_VALUES: Final = ("ann@shop.de", "+493012345678", "8c2fd1b0-4e1a-4f4c-9d53-7d0b8e1a2c43", "K-100245")
_TYPE_NAMES: Final = "a type's name may hold 1 to 64 letters, digits, dots, _ and -"


@dataclass(frozen=True, slots=True)
class TypeRule:
    """The rule of one identifier type."""

    priority: int = 50  #: the lower the stronger
    normaliser: str = "none"
    pseudonymise: bool = False
    unique: bool = False  #: a profile holds one value at most, unless an asserted link brings another
    limit: int | None = None  #: a profile holds at most so many values


@dataclass(frozen=True, slots=True)
class Written:
    """What a policy says, to all tenants or to one."""

    rules: Mapping[str, TypeRule]
    region: str
    blocked: Blocklist
    readable: frozenset[str]
    aliases: Mapping[str, str]
    close_after: (
        int  #: links of one type that limits refuse at an identifier until it is closed for that type
    )
    quarantine_after: int  #: links that limits refuse at a profile's identifiers until it is quarantined
    component_size: int  #: identifiers that links may unite
    exposed: Mapping[str, str]  #: alias that was one of a pseudonymised type and no longer is → that type


class _Alias(NamedTuple):
    name: str
    type: str
    where: tuple[str, ...]
    rank: int  # of the part that says so: a later part has a higher one


class PolicyFile:
    """The text of a policy, laid over a base; every refusal says where and what to write instead."""

    def __init__(self, text: str, origin: str, base: str, *, hides: bool) -> None:
        """`hides`: whether there is a key to pseudonymise with. Raises SettingsError, as all methods do."""
        source = TomlText(text, origin)
        self._document = source.tables
        self._error = source.error
        self._base = parse_toml(base, "the built-in identity.toml")
        self._hides = hides
        self._only_known((), self._document, (*_PARTS, "tenants"))
        self.tenants: Mapping[str, Any] = self._table((), self._document, "tenants")

    def general(self) -> Written:
        """The policy of tenants without settings of their own."""
        return self._read(((), {}))

    def of_tenant(self, name: str) -> Written:
        """The policy of a tenant whose table overrides single settings."""
        path = ("tenants", name)
        if not NAME_PATTERN.fullmatch(name):
            raise self._error(path, "a tenant's name may hold 1 to 64 letters, digits, dots, _ and -")
        table = self._table(("tenants",), dict(self.tenants), name)
        self._only_known(path, table, _PARTS)
        return self._read((path, table))

    def _read(self, override: _Part) -> Written:
        parts: tuple[_Part, ...] = (((), self._base), ((), self._document), override)
        rules, readable = self._rules(parts)
        for name, rule in rules.items():
            if rule.pseudonymise and not self._hides:
                raise self._error(
                    (*override[0], "types", name),
                    "pseudonymised, but there is no key: set TOUCHLINE_PSEUDONYM_KEY to the output of"
                    " `openssl rand -hex 32` and keep it, or write pseudonymise = false",
                )
        aliases, exposed = self._aliases(parts, rules)
        return Written(
            rules,
            self._region(parts),
            self._blocklist(parts),
            readable,
            aliases,
            self._bound(parts, "close_after"),
            self._bound(parts, "quarantine_after"),
            self._bound(parts, "component_size"),
            exposed,
        )

    def _rules(self, parts: tuple[_Part, ...]) -> tuple[dict[str, TypeRule], frozenset[str]]:
        """The rules, and the types that were pseudonymised until an explicit line said otherwise."""
        settings: dict[str, dict[str, Any]] = {}
        names: dict[str, str] = {}  # letters of a type → its name, as the first part spells it
        private: set[str] = (
            set()
        )  # only an explicit pseudonymise = false in a later part makes these readable
        for path, part in parts:
            types = self._table(path, part, "types")
            named: dict[str, str] = {}
            for written in types:
                said = self._rule_settings((*path, "types"), types, written)
                name = names.setdefault(type_letters(written), identifier_type(written))
                if name in named:
                    raise self._error((*path, "types", written), f"it is {named[name]!r} again: remove one")
                named[name] = written
                settings[name] = settings.get(name, {}) | said
                if said.get("normaliser") in _PRIVATE_NORMALISERS or said.get("pseudonymise"):
                    private.add(name)
        for name, said in settings.items():
            said.setdefault("pseudonymise", name in private)
        rules = {name: TypeRule(**said) for name, said in settings.items()}
        return rules, frozenset(name for name in private if not rules[name].pseudonymise)

    def _aliases(
        self, parts: tuple[_Part, ...], rules: Mapping[str, TypeRule]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """The aliases, and those that led to a pseudonymised type until a later part said otherwise."""
        types = {type_letters(name): name for name in rules}
        aliases: dict[str, _Alias] = {}
        hidden: dict[str, _Alias] = {}  # the first of each that led to a pseudonymised type
        for rank, (path, part) in enumerate(parts):
            table = self._table(path, part, "aliases")
            spelled: dict[str, str] = {}
            for written, target in table.items():
                where, letters = (*path, "aliases", written), type_letters(written)
                if not is_type_name(written):
                    raise self._error(where, _TYPE_NAMES)
                if table[(again := spelled.setdefault(letters, written))] != target:
                    raise self._error(where, f"it is {again!r} again, which leads elsewhere: remove one")
                if target == "":
                    if letters not in aliases and again == written:
                        raise self._error(where, "it is no alias, so there is none to end: remove the line")
                    aliases.pop(letters, None)
                elif not isinstance(target, str) or type_letters(target) not in types:
                    raise self._error(where, 'write the name of a type with a table, or "" for no alias')
                elif letters != type_letters(target):
                    alias = _Alias(identifier_type(written), types[type_letters(target)], where, rank)
                    aliases[letters] = alias
                    if rules[alias.type].pseudonymise:
                        hidden.setdefault(letters, alias)
        self._check_types(parts, aliases)
        exposed = {
            alias.name: alias.type
            for letters, alias in hidden.items()
            if letters not in aliases or not rules[aliases[letters].type].pseudonymise
        }
        return {alias.name: alias.type for alias in aliases.values()}, exposed

    def _check_types(self, parts: tuple[_Part, ...], aliases: Mapping[str, "_Alias"]) -> None:
        """Refuse a name that is a type and an alias: the later line of the two is wrong."""
        for rank, (path, part) in enumerate(parts):
            for written in self._table(path, part, "types"):
                alias = aliases.get(type_letters(written))
                if alias is None:
                    continue
                if alias.rank >= rank:
                    raise self._error(
                        alias.where, f"it is a spelling of {written}, a type with a table: remove one of them"
                    )
                raise self._error(
                    (*path, "types", written),
                    f"{written} is another name of {alias.type}: write [types.{alias.type}], or, if it is"
                    f' a type of its own, {alias.name} = "" below [aliases]',
                )

    def _rule_settings(self, path: tuple[str, ...], types: dict[str, Any], name: str) -> dict[str, Any]:
        if not is_type_name(name):
            raise self._error((*path, name), _TYPE_NAMES)
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

    def _bound(self, parts: tuple[_Part, ...], name: str) -> int:
        bound, most = _BOUNDS[name]
        for path, part in parts:
            table = self._table(path, part, "limits")
            path = (*path, "limits")
            self._only_known(path, table, tuple(_BOUNDS))
            self._whole(path, table, name, 1, most)
            bound = table.get(name, bound)
        return bound

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
