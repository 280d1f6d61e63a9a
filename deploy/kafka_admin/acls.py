"""The rights that each part of a deployment needs in Kafka, and nobody else: derived from schemas/topics.py.

An internal topic is believed because only Touchline can write it. Without these rules any source can.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
)
from kafka.errors import SecurityDisabledError

from deploy.kafka_admin.client import admin
from deploy.kafka_admin.lag import groups
from schemas.errors import SettingsError
from schemas.settings import Settings
from schemas.topics import (
    ACCOUNT_INPUTS,
    ALL,
    DEAD_LETTERS,
    GROW_GROUP,
    IDENTITY_LINKS,
    JOURNEY_INPUTS,
    LOADER_GROUP,
    SUBSCRIBER_GROUP,
    WEBHOOKS_GROUP,
    WORKER_GROUP,
)

Operation = Literal["Read", "Write", "Create", "Describe", "DescribeConfigs"]
Kind = Literal["topic", "group", "cluster"]
Pattern = Literal["literal", "prefixed"]

#: What schemas/topics.py calls writers and readers → the process that runs them, which logs in to Kafka.
PROCESS_OF: Final = {
    "stitch": "worker", "identity": "worker", "journeys": "worker", "accounts": "worker", "worker": "worker",
    "loader": "loader", "collector": "collector", "follow": "follow", "operator": "operator", "publish": "operator",
    "page": "page", "sources": "sources", "subscribers": "subscribers", "webhooks": "webhooks",
}  # fmt: skip
_OPERATIONS: Final = {
    "Read": ACLOperation.READ, "Write": ACLOperation.WRITE, "Create": ACLOperation.CREATE,
    "Describe": ACLOperation.DESCRIBE, "DescribeConfigs": ACLOperation.DESCRIBE_CONFIGS,
}  # fmt: skip
#: As Kafka names the one cluster that it is.
CLUSTER: Final = "kafka-cluster"
#: How the consumer groups of `touchline follow` begin; the name of the mapping follows.
FOLLOW_GROUP: Final = "touchline-follow-"
#: The processes that log in, and what they are.
PROCESSES: Final = {
    "worker": "touchline worker",
    "loader": "touchline load",
    "collector": "touchline collect",
    "follow": "touchline follow",
    "operator": "touchline topics, publish, forget, unlink, dead-letters, backfill, status",
    "page": "touchline page",
    "sources": "systems that publish touchpoints themselves",
    "subscribers": "touchline serve, and services that read journeys, signals, assignments and changes themselves",
    "webhooks": "touchline webhooks run",
}
#: Process → the consumer groups whose offsets it commits, and those that it only looks at.
_COMMITS: Final = {
    "worker": (WORKER_GROUP,),
    "loader": (LOADER_GROUP,),
    "webhooks": (WEBHOOKS_GROUP,),
    "operator": (WORKER_GROUP, LOADER_GROUP, GROW_GROUP),
}
#: They ask how far both groups are: the loader for erasures and versions, the operator for `status`.
_LOOKS: Final = ("loader", "operator")


@dataclass(frozen=True, slots=True, order=True)
class Acl:
    """One right: a process may do an operation on a topic, a consumer group or the cluster."""

    process: str
    kind: Kind
    name: str  #: with the deployment's prefix
    operation: Operation
    pattern: Pattern = "literal"  #: prefixed: on everything whose name begins so


def acls(settings: Settings) -> list[Acl]:
    """All rights of a deployment, sorted. What `follow` reads is not Touchline's, nor are groups that a subscriber
    without the SDK names."""
    return sorted(
        {*_of_topics(settings), *_of_groups(settings), Acl("operator", "cluster", CLUSTER, "Describe")}
    )


def _of_topics(settings: Settings) -> Iterator[Acl]:
    for topic in ALL:
        name = settings.topic(topic.name)
        for who in topic.written_by:
            yield Acl(PROCESS_OF[who], "topic", name, "Write")
        for who in topic.read_by:
            yield Acl(PROCESS_OF[who], "topic", name, "Read")
        # `status` and `backfill` read every topic, and `topics` describes them
        yield Acl("operator", "topic", name, "Read")
        yield Acl("operator", "topic", name, "Create")
        yield Acl("operator", "topic", name, "DescribeConfigs")  # `doctor` compares them
        if not topic.compacted and topic is not DEAD_LETTERS:
            yield Acl("operator", "topic", name, "Write")  # `dead-letters replay` sends records back
        # a worker asks for the partitions of every topic when it starts
        yield Acl("worker", "topic", name, "Describe")
    # no version may be beyond the ends of the topics that count them (schemas/version_bounds.py)
    for topic in (JOURNEY_INPUTS, IDENTITY_LINKS, ACCOUNT_INPUTS):
        for process in ("subscribers", "webhooks"):
            yield Acl(process, "topic", settings.topic(topic.name), "Describe")
    # the end of a log is told by a fetch (lag.py)
    for topic in {one for topics in groups().values() for one in topics}:
        yield Acl("loader", "topic", settings.topic(topic.name), "Read")


def _of_groups(settings: Settings) -> Iterator[Acl]:
    for process, names in _COMMITS.items():
        for name in names:
            yield Acl(process, "group", settings.topic(name), "Read")
    yield Acl("follow", "group", settings.topic(FOLLOW_GROUP), "Read", "prefixed")
    yield Acl("subscribers", "group", settings.topic(SUBSCRIBER_GROUP), "Read", "prefixed")
    for process in _LOOKS:
        for name in (WORKER_GROUP, LOADER_GROUP):
            yield Acl(process, "group", settings.topic(name), "Describe")


def commands(found: Iterable[Acl], bootstrap: str, principals: Mapping[str, str]) -> Iterator[str]:
    """A line of Kafka's `kafka-acls` for each right. `principals`: process → principal; default User:touchline-PROCESS.

    Raises SettingsError for a process that there is not.
    """
    _require_processes(principals)
    for acl in found:
        principal = principal_of(acl.process, principals)
        where = "--cluster" if acl.kind == "cluster" else f"--{acl.kind} '{acl.name}'"
        yield (
            f"kafka-acls --bootstrap-server {bootstrap} --add --allow-principal '{principal}'"
            f" --operation {acl.operation} {where}"
            + (" --resource-pattern-type prefixed" if acl.pattern == "prefixed" else "")
        )


def principal_of(process: str, principals: Mapping[str, str]) -> str:
    """Who logs in to Kafka as this process."""
    return principals.get(process, f"User:touchline-{process}")


def missing(settings: Settings, found: Iterable[Acl], principals: Mapping[str, str]) -> list[Acl]:
    """The rights that the broker does not grant as they stand.

    Raises SettingsError if it has no authorizer, or for a process that there is not; UnavailableError.
    """
    _require_processes(principals)
    everything = ACLFilter(
        None, None, ACLOperation.ANY, ACLPermissionType.ANY,
        ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY),
    )  # fmt: skip
    with admin(settings) as client:
        try:
            granted, _ = client.describe_acls(everything)
        except SecurityDisabledError as error:
            raise _no_authorizer(settings) from error
    there = set(granted)
    return [acl for acl in found if _entry(acl, principals) not in there]


def grant(settings: Settings, found: Iterable[Acl], principals: Mapping[str, str]) -> int:
    """Grant the rights that are not granted; returns how many. Raises as `missing`, and if the broker refuses."""
    wanted = [_entry(acl, principals) for acl in missing(settings, found, principals)]
    if not wanted:
        return 0
    with admin(settings) as client:
        failed = client.create_acls(wanted)["failed"]
    if failed:
        raise SettingsError(
            f"the broker at {settings.brokers} refused {len(failed)} of {len(wanted)} rights ({failed[0].__name__}):"
            " log in as a principal that may alter the cluster"
        )
    return len(wanted)


def _entry(acl: Acl, principals: Mapping[str, str]) -> ACL:
    return ACL(
        principal_of(acl.process, principals), "*", _OPERATIONS[acl.operation], ACLPermissionType.ALLOW,
        ResourcePattern(
            ResourceType[acl.kind.upper()], acl.name, ACLResourcePatternType[acl.pattern.upper()]
        ),
    )  # fmt: skip


def _require_processes(principals: Mapping[str, str]) -> None:
    unknown = sorted(set(principals) - set(PROCESSES))
    if unknown:
        raise SettingsError(f"{unknown[0]!r} is no process: name one of {', '.join(PROCESSES)}")


def _no_authorizer(settings: Settings) -> SettingsError:
    return SettingsError(
        f"the broker at {settings.brokers} has no authorizer, so anybody may do anything there: set"
        " authorizer.class.name to org.apache.kafka.metadata.authorizer.StandardAuthorizer"
    )
