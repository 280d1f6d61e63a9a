"""The key of a command that pseudonymises nothing itself, such as `backfill`."""

from deploy.cli.context import Context
from deploy.ingest.key_check import require_same_key


def require_configured_key(context: Context) -> None:
    """Refuse a configured key that is not the deployment's: who sets one means another deployment.

    The command needs no key, so none is no fault. Raises AnotherKeyError, UnavailableError and SettingsError.
    """
    if context.settings.pseudonym_secret():
        require_same_key(context.settings, context.policy, note=False)
