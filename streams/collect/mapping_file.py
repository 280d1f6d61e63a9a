"""Read a message mapping: a person's file laid over messages.toml."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path as FilePath
from typing import Any, Final, NoReturn

from schemas.errors import SettingsError
from schemas.keys import NAME_PATTERN
from schemas.toml_text import parse_toml, place, read_text
from schemas.touchpoint.json_form import FIELDS
from streams.collect.messages import MessageMapping, Path

BUILT_IN: Final = FilePath(__file__).with_name("messages.toml")

_TEXTS: Final = ("channel", "currency", "alias_previous", "emails_as")
#: Fields that a message may fill beside those that every touchpoint has.
_FILLED: Final = ("account_id", "session_id", "issue_id", "order_id", "campaign", "currency", "amount")


def load_mapping(path: str, named_by: str = "mapping") -> MessageMapping:
    """The built-in mapping with the file at `path` over it; "" for none. Raises SettingsError."""
    if not path:
        return built_in()
    return parse_mapping(read_text(path, named_by), path)


@cache
def built_in() -> MessageMapping:
    """The mapping of messages.toml alone."""
    return parse_mapping("", BUILT_IN.name)


def parse_mapping(text: str, origin: str) -> MessageMapping:
    """The built-in mapping with a text over it. Raises SettingsError naming the line and the fix."""
    base = parse_toml(BUILT_IN.read_text(encoding="utf-8"), BUILT_IN.name)
    over = parse_toml(text, origin)

    def fail(what: str, *entry: str) -> NoReturn:
        raise SettingsError(f"{place(text, origin, *entry)}: {what}")

    for name, value in over.items():
        if name not in base:
            fail(f"unknown: use {', '.join(base)}", name)
        if isinstance(base[name], dict) != isinstance(value, dict):
            fail(f"begin it with [{name}]" if isinstance(base[name], dict) else "it is no table", name)
        base[name] = {**base[name], **value} if isinstance(value, dict) else value
    return _Checked(base, fail).mapping()


class _Checked:
    def __init__(self, tables: dict[str, Any], fail: Any) -> None:
        self._tables = tables
        self._fail = fail

    def mapping(self) -> MessageMapping:
        for name in _TEXTS:
            if not isinstance(self._tables[name], str):
                self._fail("write it as a text in quotes", name)
        if not self._tables["channel"]:
            self._fail("name the channel of messages that do not say theirs", "channel")
        tolerance = self._tables["clock_tolerance"]
        if (
            not isinstance(tolerance, (int, float))
            or isinstance(tolerance, bool)
            or not 0 <= tolerance <= 86_400
        ):
            self._fail("write a number of seconds from 0 to 86400", "clock_tolerance")
        for kind in self._tables["identifiers"]:
            if not NAME_PATTERN.fullmatch(kind):
                self._fail("use 1 to 64 of A-Z a-z 0-9 _ . -", "identifiers", kind)
        for field in self._tables["fields"]:
            if field not in _FILLED:
                known = "is filled by the collector" if field in FIELDS else "is no field"
                self._fail(f"{field} {known}: use {', '.join(_FILLED)}", "fields", field)
        left_out = self._tables["leave_out"]
        if left_out.keys() != {"properties"}:
            self._fail("it has the list properties, and nothing else", "leave_out")
        return MessageMapping(
            channel=self._tables["channel"],
            currency=self._tables["currency"],
            clock_tolerance=float(tolerance),
            alias_previous=self._tables["alias_previous"],
            emails_as=self._tables["emails_as"],
            calls=self._names("calls"),
            channels=self._names("channels"),
            events=self._names("events"),
            identifiers=self._paths("identifiers"),
            fields=self._paths("fields"),
            attributes=self._paths("attributes"),
            left_out=frozenset(self._list("leave_out", "properties")),
        )

    def _names(self, table: str) -> Mapping[str, str]:
        for name, value in self._tables[table].items():
            if not isinstance(value, str):
                self._fail("write it as a text in quotes", table, name)
        return dict(self._tables[table])

    def _paths(self, table: str) -> Mapping[str, tuple[Path, ...]]:
        listed = {name: self._list(table, name) for name in self._tables[table]}
        return {
            name: tuple(tuple(path.split(".")) for path in paths) for name, paths in listed.items() if paths
        }

    def _list(self, table: str, name: str) -> list[str]:
        value = self._tables[table][name]
        listed = [value] if isinstance(value, str) and value else value or []
        if not isinstance(listed, list) or not all(isinstance(one, str) and one for one in listed):
            self._fail('write a path or a list of them, like ["userId", "properties.user_id"]', table, name)
        return listed
