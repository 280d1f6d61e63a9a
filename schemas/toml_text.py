"""Read a TOML text that a person wrote, and find the line of an entry, so that errors can name it."""

import re
import tomllib
from pathlib import Path
from typing import Any

from schemas.errors import SettingsError


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
    """Where the entry `keys` (outermost first) stands: "catalogue.toml, line 12: types.purchase"."""
    lines = text.splitlines()
    line = 0
    for key in keys:
        entry = re.compile(rf"""(^|[\[{{,.\s])["']?{re.escape(key)}["']?\s*[.=\]]""")
        line = next(
            (
                at
                for at in range(line, len(lines))
                if entry.search(lines[at].split(" #")[0]) and lines[at][:1] != "#"
            ),
            line,
        )
    return f"{origin}, line {line + 1}: {'.'.join(keys)}"
