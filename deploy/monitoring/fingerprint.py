"""A fingerprint of what decides results: the identity policy, the catalogue and the journey rules of a process."""

import json
from hashlib import blake2b

from schemas.settings import Settings
from schemas.toml_text import parse_toml, read_text


def fingerprint(settings: Settings) -> str:
    """Of what the three files say, without comments and layout; of built-in files, which release it is.

    Processes of one release with equal fingerprints decide alike. Raises SettingsError for a file that is no TOML.
    """
    named = (
        (settings.identity_policy, "TOUCHLINE_IDENTITY_POLICY"),
        (settings.catalogue, "TOUCHLINE_CATALOGUE"),
        (settings.journey_rules, "TOUCHLINE_JOURNEY_RULES"),
    )
    # in the order in which the file has them: that of an identifier's types may count
    told = [parse_toml(read_text(path, variable), path) if path else None for path, variable in named]
    return blake2b(json.dumps(told, default=str).encode(), digest_size=6).hexdigest()
