"""Read the identity policy that the settings name."""

from pathlib import Path
from typing import Final

from schemas.toml_text import read_text
from streams.identity.policy.policy import IdentityPolicy

BUILT_IN: Final = Path(__file__).with_name("identity.toml")


def load(
    path: str, secret: bytes, key_id: str, named_by: str = "TOUCHLINE_IDENTITY_POLICY"
) -> IdentityPolicy:
    """The built-in policy with the file at `path` laid over it, if there is one.

    Raises SettingsError; `named_by` is the setting or option that it blames for a file that cannot be read.
    """
    built_in = BUILT_IN.read_text(encoding="utf-8")
    if not path:
        return IdentityPolicy.parse(built_in, secret, key_id, BUILT_IN.name)
    return IdentityPolicy.parse(read_text(path, named_by), secret, key_id, path, base=built_in)
