"""Settings, read from the environment once at start; each names its variable, default and meaning."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from schemas.errors import SettingsError

#: TOUCHLINE_EPOCH stays below this: a version has the epoch above 48 bits of offset, a signal's is twice that.
EPOCHS: Final = 1 << 14
_PREFIX: Final = "TOUCHLINE_"
#: Variables that are no setting of a deployment: the sandbox reads where its ClickHouse library is.
SANDBOX_VARIABLES: Final = ("TOUCHLINE_LIBCHDB",)
CORES: Final = ("auto", "native", "python")  #: what TOUCHLINE_CORE may be
_SQL_NAME: Final = re.compile(r"[A-Za-z_]\w{0,63}")
_HOST_AND_PORT: Final = re.compile(r"\S+:\d{1,5}")
LONGEST_SESSION: Final = 1800.0  #: seconds: group.max.session.timeout.ms of Kafka, by default
_TOPIC_PREFIX: Final = re.compile(r"[A-Za-z0-9_-]{0,40}\.?")


def _setting(variable: str, default: Any, meaning: str) -> Any:
    return field(default=default, metadata={"variable": variable, "meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """Everything that can be set from outside. README.md, "Configure", shows this as a table."""

    brokers: str = _setting(
        "TOUCHLINE_KAFKA_BROKERS", "127.0.0.1:9092", "Kafka bootstrap servers, host:port, comma-separated"
    )
    clickhouse_url: str = _setting(
        "TOUCHLINE_CLICKHOUSE_URL", "clickhouse://127.0.0.1:9000/touchline",
        "ClickHouse native protocol: clickhouse://user:password@host:port/database (clickhouses:// for TLS);"
        " with ?http_port=8123 the loader lets it read Avro over HTTP, at a fraction of the work;"
        " with cluster=NAME tables are replicated over that cluster (one shard)",
    )  # fmt: skip
    analyst_user: str = _setting(
        "TOUCHLINE_ANALYST_USER", "",
        "A read-only ClickHouse user: `touchline migrate` makes it, `query`, `report` and `page` read as it; empty for"
        " none",
    )  # fmt: skip
    analyst_password: str = _setting("TOUCHLINE_ANALYST_PASSWORD", "", "That user's password; or @FILE")
    analyst_tenants: str = _setting(
        "TOUCHLINE_ANALYST_TENANTS", "", "The tenants that this user may read, comma-separated; empty for all"
    )
    retention: str = _setting(
        "TOUCHLINE_CLICKHOUSE_RETENTION",
        "",
        "Days that ClickHouse keeps rows, such as touchpoints=730,journey_signals=365; empty: for ever,"
        " dead_letters 30",
    )
    erased_files_seconds: int = _setting(
        "TOUCHLINE_ERASED_FILES_SECONDS",
        60,
        "How long ClickHouse keeps the files that a deletion or a merge has replaced; `touchline migrate` sets it",
    )
    topic_prefix: str = _setting(
        "TOUCHLINE_TOPIC_PREFIX", "", "Put before every topic and consumer group name"
    )
    partitions: int = _setting(
        "TOUCHLINE_PARTITIONS",
        8,
        "Partitions of the keyed topics, fixed at creation: the most workers that can share the work",
    )
    replication: int = _setting("TOUCHLINE_REPLICATION", 1, "Replicas of each topic")
    epoch: int = _setting(
        "TOUCHLINE_EPOCH",
        0,
        "Raise it by one when topics are deleted and made anew, so that versions keep growing",
    )
    idempotent_producer: int = _setting(
        "TOUCHLINE_IDEMPOTENT_PRODUCER",
        1,
        "1: the broker drops a producer's repeats; 0 only for brokers that cannot (the sandbox's)",
    )
    session_timeout: float = _setting(
        "TOUCHLINE_SESSION_TIMEOUT",
        10.0,
        "Seconds without a heartbeat after which a worker's partitions go to another",
    )
    identity_policy: str = _setting(
        "TOUCHLINE_IDENTITY_POLICY",
        "",
        "Path of an identity.toml, laid over the built-in policy; empty for that alone",
    )
    journey_rules: str = _setting(
        "TOUCHLINE_JOURNEY_RULES", "", "Path of a journey.toml; empty for the built-in rules"
    )
    catalogue: str = _setting(
        "TOUCHLINE_CATALOGUE", "", "Path of a catalogue.toml; empty for the built-in catalogue"
    )
    pseudonym_key: str = _setting(
        "TOUCHLINE_PSEUDONYM_KEY",
        "",
        "Secret for pseudonymising identifiers, at least 32 characters; or @FILE",
    )
    pseudonym_key_id: str = _setting(
        "TOUCHLINE_PSEUDONYM_KEY_ID",
        "k1",
        "Name of that secret; stands in every pseudonym, so that keys can be rotated",
    )
    registry_url: str = _setting(
        "TOUCHLINE_REGISTRY_URL",
        "",
        "Confluent-compatible schema registry; empty: single-object encoding only",
    )
    collector_keys: str = _setting(
        "TOUCHLINE_COLLECTOR_KEYS", "", "Path of the collector's write keys (docs/collector.md)"
    )
    core: str = _setting(
        "TOUCHLINE_CORE",
        "auto",
        "Which core folds journeys: native, python, or auto: native where it is installed (docs/native-core.md)",
    )
    log_format: str = _setting("TOUCHLINE_LOG_FORMAT", "text", "How processes log: text or json")
    metrics_port: int = _setting(
        "TOUCHLINE_METRICS_PORT", 0, "Metrics and health on 127.0.0.1, a port for each process; 0 for none"
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read and check all settings. Raises SettingsError naming the variable and the fix.

        An unknown variable that begins with TOUCHLINE_ is refused: a misspelt setting would be ignored.
        """
        env = os.environ if environ is None else environ
        _refuse_unknown(env, [item.metadata["variable"] for item in fields(cls)])
        values: dict[str, Any] = {}
        for item in fields(cls):
            variable = item.metadata["variable"]
            if variable in env:
                values[item.name] = _parse(variable, env[variable], item.default)
        settings = cls(**values)
        settings._check()
        return settings

    def to_env(self) -> dict[str, str]:
        """The environment from which a child process reads the same settings."""
        return {item.metadata["variable"]: str(getattr(self, item.name)) for item in fields(self)}

    def topic(self, name: str) -> str:
        """The name of a topic or consumer group in this deployment."""
        return self.topic_prefix + name

    def version(self, offset: int) -> int:
        """The version of a decision: it grows with the offset of its input record, and with the epoch above that."""
        return (self.epoch << 48) + offset

    def pseudonym_secret(self) -> bytes:
        """The pseudonymisation secret, or empty bytes if none is set. Raises SettingsError."""
        secret = _secret("TOUCHLINE_PSEUDONYM_KEY", self.pseudonym_key)
        if secret and len(secret) < 32:
            raise SettingsError(
                "TOUCHLINE_PSEUDONYM_KEY is shorter than 32 characters: make one with `openssl rand -hex 32`"
            )
        return secret.encode()

    def _check(self) -> None:
        if not _TOPIC_PREFIX.fullmatch(self.topic_prefix):
            raise SettingsError(
                "TOUCHLINE_TOPIC_PREFIX may hold letters, digits, _ and -, and end with a dot"
            )
        for name, least in (
            ("partitions", 1), ("replication", 1), ("epoch", 0), ("metrics_port", 0), ("erased_files_seconds", 1),
        ):  # fmt: skip
            if getattr(self, name) < least:
                raise SettingsError(
                    f"TOUCHLINE_{name.upper()} is {getattr(self, name)}: it must be at least {least}"
                )
        if self.metrics_port >= 1 << 16:
            raise SettingsError(f"TOUCHLINE_METRICS_PORT is {self.metrics_port}: ports end at 65535")
        choices = ("core", CORES), ("log_format", ("text", "json")), ("idempotent_producer", (0, 1))
        for name, known in choices:
            value, choice = getattr(self, name), " or ".join(map(str, known))
            if value not in known:
                raise SettingsError(f"TOUCHLINE_{name.upper()} is {value!r}: it must be {choice}")
        for address in self.brokers.split(","):
            if not _HOST_AND_PORT.fullmatch(address.strip()):
                raise SettingsError(
                    f"TOUCHLINE_KAFKA_BROKERS has {address.strip()!r}: each address must read host:port"
                )
        if self.epoch >= EPOCHS:
            raise SettingsError(
                f"TOUCHLINE_EPOCH is {self.epoch}: it must be below {EPOCHS:,} for versions to fit 64 bits"
            )
        if not 1 <= self.session_timeout <= LONGEST_SESSION:
            raise SettingsError(
                f"TOUCHLINE_SESSION_TIMEOUT is {self.session_timeout}: brokers refuse less than 1 second and more"
                f" than {LONGEST_SESSION:,.0f}; use 6 or more"
            )
        self.clickhouse()

    def clickhouse(self) -> "ClickHouse":
        """The parts of the ClickHouse URL. Raises SettingsError."""
        return ClickHouse.from_url(self.clickhouse_url)

    def readers_clickhouse(self) -> "ClickHouse":
        """The same as the analyst, if one is set. Raises SettingsError."""
        where = self.clickhouse()
        if not self.analyst_user:
            return where
        return replace(where, user=self.analyst_user, password=self.analyst_secret(), limited=True)

    def analyst_secret(self) -> str:
        """The analyst's password. Raises SettingsError if there is none: everybody could read."""
        password = _secret("TOUCHLINE_ANALYST_PASSWORD", self.analyst_password)
        if not password:
            raise SettingsError(
                "TOUCHLINE_ANALYST_PASSWORD is not set, but TOUCHLINE_ANALYST_USER is: give the user a password"
            )
        return password


@dataclass(frozen=True)
class ClickHouse:
    """Where ClickHouse is. The password never shows in a repr or a log line."""

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str = "touchline"
    secure: bool = False
    http_port: int = 0  #: of the same host, for Avro; 0 for none
    limited: bool = False  #: whether the server itself lets the user only read, and change no such setting
    cluster: str = ""  #: tables are replicated over it; empty for one server

    @classmethod
    def from_url(cls, url: str) -> "ClickHouse":
        """Parse clickhouse://user:password@host:port/database?http_port=port. Raises SettingsError."""
        parts = urlsplit(url)
        hint = "TOUCHLINE_CLICKHOUSE_URL must read clickhouse://user:password@host:port/database"
        if parts.scheme not in ("clickhouse", "clickhouses") or not parts.hostname:
            raise SettingsError(hint)
        try:
            port = parts.port
        except ValueError as error:
            raise SettingsError(f"{hint}: the port is not a number") from error
        database = parts.path.strip("/") or "touchline"
        if not _SQL_NAME.fullmatch(database):
            raise SettingsError(f"{hint}: the database name may hold letters, digits and _ only")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        http_port = query.pop("http_port", "0")
        cluster = query.pop("cluster", "")
        if cluster and not _SQL_NAME.fullmatch(cluster):
            raise SettingsError(f"{hint}: the name of the cluster may hold letters, digits and _ only")
        if query:
            raise SettingsError(f"{hint}: after the ? it knows http_port and cluster, not {min(query)}")
        if not (http_port.isdecimal() and int(http_port) < 1 << 16):
            raise SettingsError(f"{hint}: http_port is not the number of a port")
        secure = parts.scheme == "clickhouses"
        return cls(
            host=parts.hostname, port=port or (9440 if secure else 9000), user=unquote(parts.username or "default"),
            password=unquote(parts.password or ""), database=database, secure=secure, http_port=int(http_port),
            cluster=cluster,
        )  # fmt: skip


def _secret(variable: str, value: str) -> str:
    """The value, or the content of the file that it names after an @. Raises SettingsError."""
    if not value.startswith("@"):
        return value
    try:
        return Path(value[1:]).read_text().strip()
    except OSError as error:
        raise SettingsError(
            f"{variable} names a file that cannot be read: {error}: restore it, or unset"
            " the variable if it was set for a sandbox that is gone"
        ) from error


def _refuse_unknown(env: Mapping[str, str], settings: list[str]) -> None:
    known = [*settings, *SANDBOX_VARIABLES]
    unknown = sorted(name for name in env if name.startswith(_PREFIX) and name not in known)
    if not unknown:
        return
    # all begin alike: only what follows tells how near two are
    endings = [name.removeprefix(_PREFIX) for name in known]
    near = get_close_matches(unknown[0].removeprefix(_PREFIX), endings, n=1)
    advice = (
        f"did you mean {_PREFIX}{near[0]}?" if near else f"unset it; the settings are {', '.join(settings)}"
    )
    raise SettingsError(f"{unknown[0]} is not a setting of Touchline: {advice}")


def _parse(variable: str, text: str, default: Any) -> Any:
    kind = type(default)
    if kind is str:
        return text
    try:
        return kind(text)
    except ValueError as error:
        raise SettingsError(f"{variable} is {text!r}: it must be a number, like {default}") from error
