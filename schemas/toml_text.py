"""Read a TOML text that a person wrote: the line of each entry for error sentences, and checks of its values.

The readers of the catalogue, the identity policy, the journey rules and fixes share it. Each of them writes the
sentence that says what to put instead.
"""

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeGuard

from schemas.errors import SettingsError

_HEADER: Final = re.compile(r"\s*\[\[?([^\[\]]+)\]\]?\s*(?:#.*)?$")
_ASSIGNMENT: Final = re.compile(r"""\s*((?:[A-Za-z0-9_.\s-]|"[^"]*"|'[^']*')+?)\s*=""")


def read_text(path: str, setting: str) -> str:
    """The text of a file that a setting names. Raises SettingsError naming the setting."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{setting} names a file that cannot be read: {path}: {error}") from error


def parse_toml(text: str, origin: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises SettingsError naming `origin` and the line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{origin} is not TOML: {error}") from error
    except RecursionError as error:
        raise SettingsError(f"{origin} nests lists or tables too deeply: write them flat") from error


class TomlText:
    """A TOML text that knows the line of each of its entries."""

    def __init__(self, text: str, origin: str) -> None:
        """`origin` names the text in errors. Raises SettingsError if it is not TOML."""
        self.text = text
        self.origin = origin
        self.tables = parse_toml(text, origin)

    def place(self, *keys: str) -> str:
        """Where the entry `keys` stands: see the function `place`."""
        return place(self.text, self.origin, *keys)

    def error(self, keys: tuple[str, ...], fix: str) -> SettingsError:
        """The error that names the place of an entry, and says what to write instead."""
        return SettingsError(f"{self.place(*keys)}: {fix}")


def is_number(value: object, least: float, most: float, *, whole: bool = False) -> bool:
    """Whether a value is a number (with `whole`, an integer) from `least` to `most`; a boolean is none."""
    kinds = int if whole else int | float
    return isinstance(value, kinds) and not isinstance(value, bool) and least <= value <= most


def is_texts(value: object, *, empty: bool = True) -> TypeGuard[list[str]]:
    """Whether a value is a list of texts; without `empty`, none of the texts may be empty."""
    return isinstance(value, list) and all(isinstance(text, str) and (empty or text) for text in value)


def place(text: str, origin: str, *keys: str) -> str:
    """The location of the entry `keys` (outermost first): "catalogue.toml, line 12: types.purchase".

    The location of a missing entry is the first line of the innermost table around it.
    """
    lines = _lines(text)
    found = (lines[keys[:depth]] for depth in range(len(keys), -1, -1) if keys[:depth] in lines)
    return f"{origin}, line {next(found, 1)}: {'.'.join(keys)}"


@lru_cache(maxsize=16)  # a reader asks for the place of every entry of its file
def _lines(text: str) -> dict[tuple[str, ...], int]:
    """The first line of each entry and of each table around one, by their keys (outermost first)."""
    lines: dict[tuple[str, ...], int] = {}
    table: tuple[str, ...] = ()
    for number, written in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(written):
            entry = table = _keys(header[1])
        elif assignment := _ASSIGNMENT.match(written):
            entry = table + _keys(assignment[1])
        else:
            continue
        for depth in range(len(entry) + 1):
            lines.setdefault(entry[:depth], number)
    return lines


@lru_cache(maxsize=4096)
def _keys(dotted: str) -> tuple[str, ...]:
    """The parts of a dotted key: `types."a b".limit` has three."""
    try:
        value: Any = tomllib.loads(f"{dotted} = 0")
    except (tomllib.TOMLDecodeError, RecursionError):
        return ()  # a line of a text or a list that only looks like an entry
    keys = []
    while isinstance(value, dict):
        ((key, value),) = value.items()
        keys.append(key)
    return tuple(keys)
