"""Checks of Kafka: brokers, topics, rights, the key, the groups."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError

from deploy.ingest.key_check import require_same_key
from deploy.kafka_admin.acls import acls, missing
from deploy.kafka_admin.client import admin, broken
from deploy.kafka_admin.health import idle_groups, lagging, members
from deploy.kafka_admin.status import Status
from deploy.ports import listens
from deploy.repair.doctor.findings import Examination
from schemas.errors import SettingsError, UnavailableError
from schemas.kafka_security import ALLOW, is_loopback
from schemas.settings import Settings
from schemas.topics import ALL
from streams.identity.policy.policy import IdentityPolicy

#: The oldest broker that Touchline is tested with (docs/security.md).
OLDEST_KAFKA: Final = (3, 7)
#: Share of a disk that must be free.
FREE_SHARE: Final = 0.1
OF_KAFKA: Final = (
    "kafka-version", "topics", "topic-settings", "replicas", "rights", "key", "processes", "lag", "kafka-disk",
)  # fmt: skip


def kafka_checks(
    settings: Settings,
    policy: IdentityPolicy | None,
    status: Status,
    found: Examination,
    max_lag: int,
    principals: Mapping[str, str],
) -> None:
    """All checks of Kafka; if no broker answers, that is the one finding."""
    if not found.make("brokers", lambda: _brokers(settings, found)):
        found.skip(OF_KAFKA, "Kafka does not answer")
        return
    try:
        with admin(settings) as client:
            topics = {one["name"]: one for one in client.describe_topics()}
            looks: dict[str, Callable[[], None]] = {
                "kafka-version": lambda: version_of_brokers(client._manager.broker_version, found),
                "topics": lambda: _topics(settings, topics, found),
                "topic-settings": lambda: _configs(settings, client, set(topics), found),
                "replicas": lambda: replicas(settings, topics, found),
                "kafka-disk": lambda: _disks(client, found),
                "rights": lambda: _rights(settings, principals, found),
                "key": lambda: _key(settings, policy, found),
                "processes": lambda: _processes(settings, found),
                "lag": lambda: _lag(status, max_lag, found),
            }
            for check, look in looks.items():
                found.make(check, lambda look=look: explained(settings, look))  # type: ignore[misc]
    except UnavailableError as error:  # the broker went away meanwhile
        found.skip([check for check in OF_KAFKA if check not in found.made], str(error))


def explained(settings: Settings, look: Callable[[], None]) -> None:
    """Look. Raises TouchlineError: what the broker refuses, a right for example, is a sentence as well."""
    try:
        look()
    except KafkaError as error:
        raise broken(settings.brokers, error) from error


def _brokers(settings: Settings, found: Examination) -> None:
    with admin(settings) as client:
        brokers = client.describe_cluster()["brokers"]
    for broker in brokers:
        address = f"{broker['host']}:{broker['port']}"
        if not listens(broker["host"], broker["port"], timeout=2.0):
            found.fault(
                "brokers", f"broker {broker['broker_id']} says that it is at {address}, and nothing answers there",
                "set advertised.listeners of that broker to an address that this machine reaches, or start it",
            )  # fmt: skip
        elif (
            settings.kafka_security == "plaintext"
            and settings.kafka_plaintext != ALLOW
            and not is_loopback(address)
        ):
            found.fault(
                "brokers", f"broker {broker['broker_id']} is at {address}, beyond this machine and without TLS",
                "set TOUCHLINE_KAFKA_SECURITY to ssl or sasl_ssl",
            )  # fmt: skip


def version_of_brokers(version: tuple[int, ...] | None, found: Examination) -> None:
    """Find brokers that are too old; `version` is None if the client does not know it."""
    if version is not None and version < OLDEST_KAFKA:
        found.fault(
            "kafka-version", f"the broker is Kafka {'.'.join(map(str, version))}",
            f"upgrade it to {'.'.join(map(str, OLDEST_KAFKA))} or newer",
        )  # fmt: skip


def _topics(settings: Settings, topics: Mapping[str, Any], found: Examination) -> None:
    names = [settings.topic(topic.name) for topic in ALL]
    absent = [name for name in names if name not in topics]
    if absent:
        found.fault("topics", f"Kafka has no topic {', '.join(absent)}", "run `touchline topics`")
    for name in names:
        count = len(topics[name]["partitions"]) if name in topics else settings.partitions
        if count != settings.partitions:
            found.fault(
                "topics", f"topic {name} has {count} partitions, and TOUCHLINE_PARTITIONS is {settings.partitions}",
                f"set TOUCHLINE_PARTITIONS to {count} everywhere; if topics differ, begin anew with another prefix",
            )  # fmt: skip


def _configs(settings: Settings, client: Any, there: set[str], found: Examination) -> None:
    """An existing topic keeps the settings that it was made with, whatever a newer Touchline makes."""
    wanted = {settings.topic(topic.name): topic.config() for topic in ALL}
    asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in wanted if name in there]
    described = client.describe_configs(asked, config_filter="all").get("topic", {}) if asked else {}
    for name, present in described.items():
        differing = {
            key: value
            for key, value in wanted[name].items()
            if key in present and present[key]["value"] != value
        }
        if differing:
            now = ", ".join(
                f"{key} is {present[key]['value']}, not {value}" for key, value in differing.items()
            )
            change = ",".join(f"{key}={value}" for key, value in differing.items())
            found.fault(
                "topic-settings", f"topic {name}: {now}",
                f"kafka-configs --bootstrap-server {settings.brokers} --alter --topic {name} --add-config {change}",
            )  # fmt: skip


def replicas(settings: Settings, topics: Mapping[str, Any], found: Examination) -> None:
    """Find partitions without leader or replicas. `topics`: name → what the broker describes."""
    ours = [topics[name] for topic in ALL if (name := settings.topic(topic.name)) in topics]
    parts = [(topic["name"], part) for topic in ours for part in topic["partitions"]]
    leaderless = sorted({name for name, part in parts if part["leader_id"] < 0})
    if leaderless:
        found.fault(
            "replicas",
            f"partitions of {', '.join(leaderless)} have no leader",
            "start the brokers that hold them",
        )
    short = sorted({name for name, part in parts if len(part["isr_nodes"]) < len(part["replica_nodes"])})
    if short:
        found.fault(
            "replicas",
            f"partitions of {', '.join(short)} lack replicas in sync",
            "start the brokers that hold them",
        )
    few = sorted({name for name, part in parts if len(part["replica_nodes"]) < settings.replication})
    if few:
        found.fault(
            "replicas", f"{', '.join(few)} have fewer replicas than TOUCHLINE_REPLICATION {settings.replication}",
            "move their partitions with kafka-reassign-partitions: an existing topic keeps its number",
        )  # fmt: skip
    single = (
        settings.replication == 1 and len({node for _, part in parts for node in part["replica_nodes"]}) > 1
    )
    if single:
        found.warn(
            "replicas", "there are several brokers, and each topic is on one of them",
            "set TOUCHLINE_REPLICATION to 3 before topics are made: a broker that is lost takes its partitions along",
        )  # fmt: skip


def _disks(client: Any, found: Examination) -> None:
    try:
        described = client.describe_log_dirs([], None)
    except (KafkaError, KeyError, TypeError) as error:
        found.unknown(
            "kafka-disk", f"the brokers do not tell how full their disks are ({type(error).__name__})",
            "watch the disks of the brokers themselves",
        )  # fmt: skip
        return
    for broker in described:
        for folder in broker["log_dirs"]:
            total, usable = folder.get("total_bytes", -1), folder.get("usable_bytes", -1)
            if total > 0 and usable < total * FREE_SHARE:
                found.fault(
                    "kafka-disk", f"broker {broker['broker']} has {usable / 2**30:.1f} GiB left: {folder['log_dir']}",
                    "give it a larger disk, or shorten the retention of your own topics",
                )  # fmt: skip


def _rights(settings: Settings, principals: Mapping[str, str], found: Examination) -> None:
    wanted = acls(settings)
    try:
        lacking = missing(settings, wanted, principals)
    except SettingsError as error:
        what, _, mend = str(error).partition(": ")
        found.warn("rights", what, mend)
        return
    except UnavailableError as error:
        found.unknown("rights", str(error), "log in as a principal that may describe the cluster")
        return
    if lacking == wanted:
        # the sandbox's broker says so, and so does a Kafka whose authorizer allows what nobody has restricted
        found.warn(
            "rights", "Kafka has no rights of Touchline's: whoever reaches it may read and write everything",
            "run `touchline topics --acls --apply`, and let Kafka refuse what is not granted (docs/security.md)",
        )  # fmt: skip
    elif lacking:
        first = lacking[0]
        found.fault(
            "rights",
            f"{len(lacking)} rights are not granted, the first: {first.process} may not {first.operation} {first.name}",
            "run `touchline topics --acls --apply`, with --principal for users of your own",
        )


def _key(settings: Settings, policy: IdentityPolicy | None, found: Examination) -> None:
    if policy is None:
        found.unknown("key", "not compared, because the policy cannot be read", "mend the policy first")
    elif policy.hides() and not policy.key_checks():
        found.fault(
            "key", "the policy pseudonymises, and TOUCHLINE_PSEUDONYM_KEY is not set",
            "set the key that the other processes have",
        )  # fmt: skip
    else:
        require_same_key(settings, policy, note=False)


def _processes(settings: Settings, found: Examination) -> None:
    for sentence in idle_groups(members(settings)):
        what, _, mend = sentence.partition(": ")
        found.fault("processes", what, mend)


def _lag(status: Status, max_lag: int, found: Examination) -> None:
    if status.broker_problem is not None:
        raise UnavailableError(status.broker_problem)
    for sentence in lagging(status, max_lag):
        found.fault(
            "lag", sentence, "look at the log of its processes, and start another one if they keep busy"
        )
