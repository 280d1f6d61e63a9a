"""Reads TOML files and finds the line of an entry, so that errors can name it."""

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

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


def place(text: str, origin: str, *keys: str) -> str:
    """The location of the entry `keys` (outermost first): "catalogue.toml, line 12: types.purchase".

    The location of a missing entry is the first line of the innermost table around it.
    """
    table: tuple[str, ...] = ()
    best, line = -1, 1
    for number, written in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(written):
            entry = table = _keys(header[1])
        elif assignment := _ASSIGNMENT.match(written):
            entry = table + _keys(assignment[1])
        else:
            continue
        common = next((at for at, (a, b) in enumerate(zip(entry, keys, strict=False)) if a != b), None)
        if common is None:
            common = min(len(entry), len(keys))
        if common > best:
            best, line = common, number
    return f"{origin}, line {line}: {'.'.join(keys)}"


@lru_cache(maxsize=4096)  # an entry is looked for in every line, and every entry of a file may be looked for
def _keys(dotted: str) -> tuple[str, ...]:
    """The parts of a dotted key: `types."a b".limit` has three."""
    try:
        value: Any = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:  # a line of a text or a list that only looks like an entry
        return ()
    keys = []
    while isinstance(value, dict):
        ((key, value),) = value.items()
        keys.append(key)
    return tuple(keys)
