"""Read the identity policy that the settings name."""

from pathlib import Path
from typing import Final

from schemas.toml_text import read_text
from streams.identity.policy import IdentityPolicy

BUILT_IN: Final = Path(__file__).with_name("identity.toml")


def load(
    path: str, secret: bytes, key_id: str, named_by: str = "TOUCHLINE_IDENTITY_POLICY"
) -> IdentityPolicy:
    """The policy in the file at `path`, or the built-in one if it is empty.

    Raises SettingsError; `named_by` is the setting or option that it blames for a file that cannot be read.
    """
    text = read_text(path, named_by) if path else BUILT_IN.read_text(encoding="utf-8")
    return IdentityPolicy.parse(text, secret, key_id, origin=path or BUILT_IN.name)
