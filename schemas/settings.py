"""Settings, read from the environment once at start; each names its variable, default and meaning."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

from schemas.clickhouse_url import ClickHouse as ClickHouse
from schemas.environment import parsed, refuse_unknown
from schemas.errors import SettingsError
from schemas.secret_files import pseudonym_key, read_secret

#: TOUCHLINE_EPOCH stays below this: a version has the epoch above 48 bits of offset, a signal's is twice that.
EPOCHS: Final = 1 << 14
CORES: Final = ("auto", "native", "python")  #: what TOUCHLINE_CORE may be
_HOST_AND_PORT: Final = re.compile(r"\S+:\d{1,5}")
LONGEST_SESSION: Final = 1800.0  #: seconds: group.max.session.timeout.ms of Kafka, by default
_TOPIC_PREFIX: Final = re.compile(r"[A-Za-z0-9_-]{0,40}\.?")


def _setting(variable: str, default: Any, meaning: str, *, shown: bool = True) -> Any:
    return field(default=default, repr=shown, metadata={"variable": variable, "meaning": meaning})


@dataclass(frozen=True)
class Settings:
    """Everything that can be set from outside. README.md, "Configure", shows this as a table."""

    brokers: str = _setting(
        "TOUCHLINE_KAFKA_BROKERS", "127.0.0.1:9092", "Kafka bootstrap servers, host:port, comma-separated"
    )
    kafka_security: str = _setting(
        "TOUCHLINE_KAFKA_SECURITY", "plaintext",
        "How Kafka is reached: plaintext (loopback only), ssl, sasl_ssl or sasl_plaintext (docs/security.md)",
    )  # fmt: skip
    kafka_plaintext: str = _setting(
        "TOUCHLINE_KAFKA_PLAINTEXT", "loopback", "allow: Kafka may be reached without TLS beyond this machine"
    )
    kafka_mechanism: str = _setting(
        "TOUCHLINE_KAFKA_MECHANISM", "SCRAM-SHA-512",
        "SCRAM-SHA-512, SCRAM-SHA-256, PLAIN or OAUTHBEARER, for SASL",
    )  # fmt: skip
    kafka_user: str = _setting(
        "TOUCHLINE_KAFKA_USER", "", "User for SASL; for a token endpoint the client id"
    )
    kafka_password: str = _setting(
        "TOUCHLINE_KAFKA_PASSWORD", "", "That user's password, or the client secret; or @FILE", shown=False
    )
    kafka_token: str = _setting(
        "TOUCHLINE_KAFKA_TOKEN", "",
        "For OAUTHBEARER: @FILE, the https:// address of an OIDC token endpoint, or ! and a command that prints it",
        shown=False,
    )  # fmt: skip
    kafka_token_scope: str = _setting("TOUCHLINE_KAFKA_TOKEN_SCOPE", "", "The scope asked of that endpoint")
    kafka_ca: str = _setting(
        "TOUCHLINE_KAFKA_CA", "",
        "PEM file of the authorities that sign the brokers' certificates; empty: the system's",
    )  # fmt: skip
    kafka_certificate: str = _setting(
        "TOUCHLINE_KAFKA_CERTIFICATE", "", "PEM file of this client's certificate (mTLS), with its chain"
    )
    kafka_key: str = _setting(
        "TOUCHLINE_KAFKA_KEY", "", "PEM file of that certificate's private key, if not in it"
    )
    kafka_key_password: str = _setting(
        "TOUCHLINE_KAFKA_KEY_PASSWORD", "", "The password of that private key; or @FILE", shown=False
    )
    clickhouse_url: str = _setting(
        "TOUCHLINE_CLICKHOUSE_URL", "clickhouse://127.0.0.1:9000/touchline",
        "ClickHouse native protocol: clickhouse://user:password@host:port/database (clickhouses:// for TLS,"
        " with ?ca=FILE for an authority of your own), or @FILE that holds it;"
        " with ?http_port=8123 the loader lets it read Avro over HTTP, at a fraction of the work;"
        " with cluster=NAME tables are replicated over that cluster (one shard)",
    )  # fmt: skip
    analyst_user: str = _setting(
        "TOUCHLINE_ANALYST_USER", "",
        "A read-only ClickHouse user: `touchline migrate` makes it, `query`, `report` and `page` read as it; empty for"
        " none",
    )  # fmt: skip
    analyst_password: str = _setting(
        "TOUCHLINE_ANALYST_PASSWORD", "", "That user's password; or @FILE", shown=False
    )
    analyst_tenants: str = _setting(
        "TOUCHLINE_ANALYST_TENANTS", "", "The tenants that this user may read, comma-separated; empty for all"
    )
    retention: str = _setting(
        "TOUCHLINE_CLICKHOUSE_RETENTION",
        "",
        "Days that ClickHouse keeps rows, such as touchpoints=730,journey_signals=365; empty: for ever,"
        " dead_letters 30, webhook_deliveries 90",
    )
    erased_files_seconds: int = _setting(
        "TOUCHLINE_ERASED_FILES_SECONDS", 60,
        "How long ClickHouse keeps the files that a deletion or a merge has replaced; `touchline migrate` sets it",
    )  # fmt: skip
    topic_prefix: str = _setting(
        "TOUCHLINE_TOPIC_PREFIX", "", "Put before every topic and consumer group name"
    )
    partitions: int = _setting(
        "TOUCHLINE_PARTITIONS", 8,
        "Partitions of the keyed topics, fixed at creation: the most workers that can share the work",
    )  # fmt: skip
    replication: int = _setting("TOUCHLINE_REPLICATION", 1, "Replicas of each topic")
    epoch: int = _setting(
        "TOUCHLINE_EPOCH", 0,
        "Raise it by one when topics are deleted and made anew, so that versions keep growing",
    )  # fmt: skip
    idempotent_producer: int = _setting(
        "TOUCHLINE_IDEMPOTENT_PRODUCER", 1,
        "1: the broker drops a producer's repeats; 0 only for brokers that cannot (the sandbox's)",
    )  # fmt: skip
    session_timeout: float = _setting(
        "TOUCHLINE_SESSION_TIMEOUT", 10.0,
        "Seconds without a heartbeat after which a worker's partitions go to another",
    )  # fmt: skip
    identity_policy: str = _setting(
        "TOUCHLINE_IDENTITY_POLICY", "",
        "Path of an identity.toml, laid over the built-in policy; empty for that alone",
    )  # fmt: skip
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
        shown=False,
    )
    pseudonym_key_id: str = _setting(
        "TOUCHLINE_PSEUDONYM_KEY_ID", "k1",
        "Name of that secret; stands in every pseudonym, so that keys can be rotated",
    )  # fmt: skip
    previous_pseudonym_key: str = _setting(
        "TOUCHLINE_PREVIOUS_PSEUDONYM_KEY", "",
        "While keys are rotated: the secret before that one, or @FILE (docs/security.md)",
        shown=False,
    )  # fmt: skip
    previous_pseudonym_key_id: str = _setting(
        "TOUCHLINE_PREVIOUS_PSEUDONYM_KEY_ID", "",
        "While keys are rotated: the name of the secret before that one",
    )  # fmt: skip
    registry_url: str = _setting(
        "TOUCHLINE_REGISTRY_URL", "",
        "Confluent-compatible schema registry, or @FILE that holds its address; empty: single-object encoding only",
    )  # fmt: skip
    collector_keys: str = _setting(
        "TOUCHLINE_COLLECTOR_KEYS", "", "Path of the collector's write keys (docs/collector.md)"
    )
    subscriber_keys: str = _setting(
        "TOUCHLINE_SUBSCRIBER_KEYS", "", "Path of the API keys of `touchline serve` (docs/subscribers.md)"
    )
    subscriber_table: str = _setting(
        "TOUCHLINE_SUBSCRIBER_TABLE", "",
        "File in which `touchline serve` keeps the present states; empty: a temporary one, read anew at each start",
    )  # fmt: skip
    webhooks: str = _setting(
        "TOUCHLINE_WEBHOOKS", "",
        "Path of webhooks.toml: whom `touchline webhooks run` tells what (docs/webhooks.md)",
    )  # fmt: skip
    core: str = _setting(
        "TOUCHLINE_CORE", "auto",
        "Which core folds journeys: native, python, or auto: native where it is installed (docs/native-core.md)",
    )  # fmt: skip
    state_dir: str = _setting(
        "TOUCHLINE_STATE_DIR",
        "",
        "Folder in which a worker keeps checkpoints of journeys, so that a restart is quick; empty for none"
        " (docs/native-core.md)",
    )
    checkpoint_seconds: float = _setting(
        "TOUCHLINE_CHECKPOINT_SECONDS", 120.0, "Seconds between two checkpoints: what a restart reads again"
    )
    standby_replicas: int = _setting(
        "TOUCHLINE_STANDBY_REPLICAS",
        0,
        "How many other workers keep a warm copy of a partition's state, so that a lost worker's is taken over at once;"
        " each costs the memory again (docs/native-core.md)",
    )
    log_format: str = _setting("TOUCHLINE_LOG_FORMAT", "text", "How processes log: text or json")
    tracing: str = _setting(
        "TOUCHLINE_TRACING", "off",
        "otlp: tell OpenTelemetry what becomes of records with a traceparent (docs/tracing.md)",
    )  # fmt: skip
    metrics_host: str = _setting(
        "TOUCHLINE_METRICS_HOST", "127.0.0.1",
        "Address that metrics and health listen on; 0.0.0.0 in a container, where Prometheus comes from elsewhere",
    )  # fmt: skip
    metrics_port: int = _setting(
        "TOUCHLINE_METRICS_PORT",
        0,
        "Metrics and health at this port, one for each process (`touchline up` counts on from it); 0 for none"
        " (docs/metrics.md)",
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> "Settings":
        """Read and check all settings. Raises SettingsError naming the variable and the fix.

        An unknown variable that begins with TOUCHLINE_ is refused: a misspelt setting would be ignored.
        """
        env = os.environ if environ is None else environ
        refuse_unknown(env, [item.metadata["variable"] for item in fields(cls)])
        values: dict[str, Any] = {}
        for item in fields(cls):
            variable = item.metadata["variable"]
            if variable in env:
                values[item.name] = parsed(variable, env[variable], item.default)
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
        return pseudonym_key("TOUCHLINE_PSEUDONYM_KEY", self.pseudonym_key)

    def previous_pseudonym(self) -> tuple[bytes, str] | None:
        """Secret and name of the key that is being replaced, None outside a rotation. Raises SettingsError."""
        secret, key_id = self.previous_pseudonym_key, self.previous_pseudonym_key_id
        if bool(secret) != bool(key_id):
            raise SettingsError(
                "TOUCHLINE_PREVIOUS_PSEUDONYM_KEY and TOUCHLINE_PREVIOUS_PSEUDONYM_KEY_ID go together:"
                " set both, or none"
            )
        return (pseudonym_key("TOUCHLINE_PREVIOUS_PSEUDONYM_KEY", secret), key_id) if secret else None

    def _check(self) -> None:
        if not _TOPIC_PREFIX.fullmatch(self.topic_prefix):
            raise SettingsError(
                "TOUCHLINE_TOPIC_PREFIX may hold letters, digits, _ and -, and end with a dot"
            )
        for name, least in (
            ("partitions", 1), ("replication", 1), ("epoch", 0), ("metrics_port", 0), ("erased_files_seconds", 1),
            ("checkpoint_seconds", 1), ("standby_replicas", 0),
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

    def clickhouse(self) -> ClickHouse:
        """The parts of the ClickHouse URL. Raises SettingsError."""
        return ClickHouse.from_url(self.clickhouse_url)

    def readers_clickhouse(self) -> ClickHouse:
        """The same as the analyst, if one is set. Raises SettingsError."""
        where = self.clickhouse()
        if not self.analyst_user:
            return where
        return replace(where, user=self.analyst_user, password=self.analyst_secret(), limited=True)

    def registry(self) -> str:
        """The registry's address, empty for none; a file may hold it for the password in it. Raises SettingsError."""
        return read_secret("TOUCHLINE_REGISTRY_URL", self.registry_url)

    def analyst_secret(self) -> str:
        """The analyst's password. Raises SettingsError if there is none: everybody could read."""
        password = read_secret("TOUCHLINE_ANALYST_PASSWORD", self.analyst_password)
        if not password:
            raise SettingsError(
                "TOUCHLINE_ANALYST_PASSWORD is not set, but TOUCHLINE_ANALYST_USER is: give the user a password"
            )
        return password
