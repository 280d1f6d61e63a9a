"""The rights that each part of a deployment needs in Kafka, and nobody else: derived from schemas/topics.py.

An internal topic is believed because only Touchline can write it. Without these rules any source can.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from deploy.kafka_admin.lag import groups
from schemas.errors import SettingsError
from schemas.settings import Settings
from schemas.topics import (
    ACCOUNT_INPUTS,
    ALL,
    DEAD_LETTERS,
    IDENTITY_LINKS,
    JOURNEY_INPUTS,
    LOADER_GROUP,
    WORKER_GROUP,
)

Operation = Literal["Read", "Write", "Describe"]

#: What schemas/topics.py calls writers and readers → the process that runs them, which logs in to Kafka.
PROCESS_OF: Final = {
    "stitch": "worker", "identity": "worker", "journeys": "worker", "accounts": "worker", "worker": "worker",
    "loader": "loader", "collector": "collector", "follow": "follow", "operator": "operator", "publish": "operator",
    "page": "page", "sources": "sources", "subscribers": "subscribers",
}  # fmt: skip
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
}
#: Process → the consumer groups whose offsets it commits, and those that it only looks at.
_COMMITS: Final = {
    "worker": (WORKER_GROUP,),
    "loader": (LOADER_GROUP,),
    "operator": (WORKER_GROUP, LOADER_GROUP),
}
#: They ask how far both groups are: the loader for erasures and versions, the operator for `status`.
_LOOKS: Final = ("loader", "operator")


@dataclass(frozen=True, slots=True, order=True)
class Acl:
    """One right: a process may do an operation on a topic or a consumer group."""

    process: str
    kind: Literal["topic", "group"]
    name: str  #: with the deployment's prefix
    operation: Operation


def acls(settings: Settings) -> list[Acl]:
    """All rights of a deployment, sorted. Creating topics needs Create on the cluster besides."""
    return sorted({*_of_topics(settings), *_of_groups(settings)})


def _of_topics(settings: Settings) -> Iterator[Acl]:
    for topic in ALL:
        name = settings.topic(topic.name)
        for who in topic.written_by:
            yield Acl(PROCESS_OF[who], "topic", name, "Write")
        for who in topic.read_by:
            yield Acl(PROCESS_OF[who], "topic", name, "Read")
        # `status` and `backfill` read every topic, and `topics` describes them
        yield Acl("operator", "topic", name, "Read")
        if not topic.compacted and topic is not DEAD_LETTERS:
            yield Acl("operator", "topic", name, "Write")  # `dead-letters replay` sends records back
        # a worker asks for the partitions of every topic when it starts
        yield Acl("worker", "topic", name, "Describe")
    for topic in (JOURNEY_INPUTS, IDENTITY_LINKS, ACCOUNT_INPUTS):
        # `touchline serve` believes no version beyond the end of the topic whose offsets are versions
        yield Acl("subscribers", "topic", settings.topic(topic.name), "Describe")
    # the end of a log is told by a fetch (lag.py)
    for topic in {one for topics in groups().values() for one in topics}:
        yield Acl("loader", "topic", settings.topic(topic.name), "Read")


def _of_groups(settings: Settings) -> Iterator[Acl]:
    for process, names in _COMMITS.items():
        for name in names:
            yield Acl(process, "group", settings.topic(name), "Read")
    for process in _LOOKS:
        for name in (WORKER_GROUP, LOADER_GROUP):
            yield Acl(process, "group", settings.topic(name), "Describe")


def commands(found: Iterable[Acl], bootstrap: str, principals: Mapping[str, str]) -> Iterator[str]:
    """A line of Kafka's `kafka-acls` for each right. `principals`: process → principal; default User:touchline-PROCESS.

    Raises SettingsError for a process that there is not.
    """
    unknown = sorted(set(principals) - set(PROCESSES))
    if unknown:
        raise SettingsError(f"{unknown[0]!r} is no process: name one of {', '.join(PROCESSES)}")
    for acl in found:
        principal = principals.get(acl.process, f"User:touchline-{acl.process}")
        yield (
            f"kafka-acls --bootstrap-server {bootstrap} --add --allow-principal '{principal}'"
            f" --operation {acl.operation} --{acl.kind} '{acl.name}'"
        )
