"""Secrets of settings: the value itself, or @FILE, whose content it is."""

from pathlib import Path

from schemas.errors import SettingsError


def read_secret(variable: str, value: str) -> str:
    """The value, or the content of the file that it names after an @. Raises SettingsError."""
    if not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text().strip()
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{variable} names a file that cannot be read: {error}: restore it, or unset"
            " the variable if it was set for a sandbox that is gone"
        ) from error


def pseudonym_key(variable: str, value: str) -> bytes:
    """A pseudonymisation secret; empty for none. Raises SettingsError for one that could be guessed."""
    secret = read_secret(variable, value)
    if value and len(secret) < 32:
        raise SettingsError(f"{variable} is shorter than 32 characters: make one with `openssl rand -hex 32`")
    return secret.encode()
