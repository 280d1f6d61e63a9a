"""The pseudonymisation key of a command that stores nothing: the configured one, or one made for the run."""

import secrets

from deploy.cli.output import remark
from schemas.settings import Settings
from streams.identity.policy.load import load
from streams.identity.policy.policy import IdentityPolicy


def load_for_run(settings: Settings, *files: tuple[str, str]) -> list[IdentityPolicy]:
    """The policies of files, each given with the option that names it; all with one key.

    Remarks on standard error if it made a key that a policy uses. Raises SettingsError.
    """
    configured = settings.pseudonym_secret()
    secret = configured or secrets.token_hex(32).encode()
    policies = [
        load(path, secret, settings.pseudonym_key_id, named_by, settings.previous_pseudonym())
        for path, named_by in files
    ]
    if not configured and any(policy.hides() for policy in policies):
        remark(
            "no TOUCHLINE_PSEUDONYM_KEY is set, so this run made a key of its own: who is one person is the same under"
            " every key, but pseudonyms and the profile ids made of them differ from run to run",
        )
    return policies
