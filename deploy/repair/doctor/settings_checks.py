"""Checks of the settings alone: no server is asked."""

import stat
from pathlib import Path
from typing import Final

from deploy.kafka_admin.meanings import meanings
from deploy.repair.doctor.findings import Examination
from schemas.kafka_security import ALLOW, check_connection, is_loopback, ssl_context
from schemas.settings import Settings
from streams.identity.policy.load import configured
from streams.identity.policy.policy import IdentityPolicy

#: Settings that may read @FILE, where the file holds a secret; and those that name a file of secrets.
_SECRETS: Final = (
    "kafka_password", "kafka_key_password", "kafka_token", "clickhouse_url", "analyst_password", "pseudonym_key",
    "previous_pseudonym_key", "registry_url",
)  # fmt: skip
_FILES: Final = ("kafka_key",)
#: In the environment such a value shows in `ps e`, in crash reports and in every child process.
_BETTER_IN_FILES: Final = ("kafka_password", "analyst_password", "pseudonym_key")


def settings_checks(settings: Settings, found: Examination) -> None:
    """How servers are reached, and who may read secrets."""
    found.make("settings", lambda: _reached(settings, found))
    for name in (*_SECRETS, *_FILES):
        value = getattr(settings, name)
        path = value if name in _FILES else value[1:] if value.startswith("@") else ""
        if path:
            _readable_by_others(Path(path), found)
    for name in _BETTER_IN_FILES:
        if getattr(settings, name) and not getattr(settings, name).startswith("@"):
            variable = f"TOUCHLINE_{name.upper()}"
            found.warn(
                "settings", f"{variable} holds its secret in the environment",
                f"write it into a file that only its process may read, and set {variable} to @FILE",
            )  # fmt: skip


def policy_checks(settings: Settings, found: Examination) -> IdentityPolicy | None:
    """The policy, the catalogue and the rules. Returns the policy, None if it cannot be read."""
    read: list[IdentityPolicy] = []

    def look() -> None:
        meanings(settings)
        read.append(configured(settings))

    found.make("policy", look)
    return read[0] if read else None


def _reached(settings: Settings, found: Examination) -> None:
    check_connection(settings)
    ssl_context(settings)
    if settings.kafka_plaintext == ALLOW:
        what = "credentials" if settings.kafka_security == "sasl_plaintext" else "what it carries"
        if settings.kafka_security in ("plaintext", "sasl_plaintext"):
            found.warn(
                "settings", f"Kafka at {settings.brokers} is reached without TLS: whoever sees the network sees {what}",
                "set TOUCHLINE_KAFKA_SECURITY to ssl or sasl_ssl, or keep that network to yourself",
            )  # fmt: skip
    where = settings.clickhouse()
    if not where.secure and not is_loopback(f"{where.host}:{where.port}"):
        found.warn(
            "settings", f"ClickHouse at {where.host} is reached without TLS, password included",
            "begin TOUCHLINE_CLICKHOUSE_URL with clickhouses://, with ?ca=FILE for an authority of your own",
        )  # fmt: skip


def _readable_by_others(path: Path, found: Examination) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        found.fault(
            "settings", f"{path} cannot be read ({error.strerror})", "restore it, or unset what names it"
        )
        return
    if stat.S_ISREG(mode) and mode & (stat.S_IRWXG | stat.S_IRWXO):
        found.warn(
            "settings", f"{path} holds a secret and others on this machine may read it", f"chmod 600 {path}"
        )
