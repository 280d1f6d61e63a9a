"""Health check of a deployment: topics, tables, group members and lag. Each problem is one sentence."""

from collections.abc import Mapping
from typing import Any, Final

from kafka.errors import CoordinatorNotAvailableError, KafkaError

from deploy.kafka_admin.client import admin, broken
from deploy.kafka_admin.status import Status
from schemas.errors import TouchlineError
from schemas.settings import Settings
from schemas.topics import LOADER_GROUP, WORKER_GROUP

#: Consumer group → the command that runs a member of it.
COMMANDS: Final = {WORKER_GROUP: "touchline worker", LOADER_GROUP: "touchline load"}


def members(settings: Settings) -> dict[str, int]:
    """How many members each consumer group has, by the group's name without prefix. Raises UnavailableError."""
    names = {settings.topic(group): group for group in COMMANDS}
    with admin(settings) as client:
        # the sandbox's broker sends ACL operations that Kafka does not have; kafka-python would fail on them
        client._process_acl_operations = lambda described: described
        try:
            found: Mapping[str, Any] = client.describe_groups(list(names))
        except CoordinatorNotAvailableError:
            found = {}  # Kafka makes its offsets topic when the first group appears
        except KafkaError as error:
            raise broken(settings.brokers, error) from error
    return {group: len(found.get(name, {}).get("members", ())) for name, group in names.items()}


def check(settings: Settings, status: Status, max_lag: int) -> list[str]:
    """All problems, a sentence each: those of `status`, groups without a member, lags above `max_lag` records."""
    wrong = list(status.problems)
    if status.broker_problem is None:
        try:
            wrong += idle_groups(members(settings))
        except TouchlineError as error:
            wrong.append(str(error))
    return wrong + lagging(status, max_lag)


def idle_groups(running: Mapping[str, int]) -> list[str]:
    """A sentence for each group without a member."""
    return [
        f"consumer group {group} has no member: start `{COMMANDS[group]}`"
        for group, count in running.items()
        if not count
    ]


def lagging(status: Status, max_lag: int) -> list[str]:
    """A sentence for each group whose lag, in records over all its topics, is above the bound."""
    lags = {group: status.lag(group) for group in COMMANDS}
    return [
        f"consumer group {group} lags {lag:,} records behind, above --max-lag {max_lag:,}"
        for group, lag in lags.items()
        if lag is not None and lag > max_lag
    ]
