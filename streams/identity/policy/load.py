"""Read the identity policy that the settings name."""

from pathlib import Path
from typing import Final

from schemas.settings import Settings
from schemas.toml_text import read_text
from streams.identity.policy.policy import IdentityPolicy

NAMED_BY: Final = "TOUCHLINE_IDENTITY_POLICY"
BUILT_IN: Final = Path(__file__).with_name("identity.toml")


def configured(settings: Settings, path: str | None = None, named_by: str = NAMED_BY) -> IdentityPolicy:
    """The policy at `path`, by default the one that the settings name, with their keys. Raises SettingsError."""
    return load(
        settings.identity_policy if path is None else path, settings.pseudonym_secret(), settings.pseudonym_key_id,
        named_by, settings.previous_pseudonym(),
    )  # fmt: skip


def load(
    path: str, secret: bytes, key_id: str, named_by: str = NAMED_BY,
    previous: tuple[bytes, str] | None = None,
) -> IdentityPolicy:  # fmt: skip
    """The built-in policy with the file at `path` laid over it, if there is one.

    Raises SettingsError; `named_by` is the setting or option that it blames for a file that cannot be read.
    """
    built_in = BUILT_IN.read_text(encoding="utf-8")
    if not path:
        return IdentityPolicy.parse(built_in, secret, key_id, BUILT_IN.name, previous=previous)
    return IdentityPolicy.parse(
        read_text(path, named_by), secret, key_id, path, base=built_in, previous=previous
    )
