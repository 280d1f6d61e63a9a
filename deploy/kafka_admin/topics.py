"""Create the topics of schemas.topics.ALL, with Touchline's partitions, replication and configuration."""

from typing import Final

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from deploy.kafka_admin.client import TIMEOUT_MS, admin, broken
from schemas.errors import SettingsError
from schemas.settings import Settings
from schemas.topics import ALL, Topic

_UNKNOWN_TOPIC: Final = 3


def create_topics(settings: Settings) -> list[str]:
    """Create what is missing and return the names of the topics created.

    A topic that exists is left as it is. Raises SettingsError when its partition count differs from the
    setting (keys would land elsewhere), UnavailableError when the broker does not answer.
    """
    with admin(settings) as client:
        found = partition_counts(client, settings)
        _require_partitions(found, settings)
        missing = [topic for topic in ALL if settings.topic(topic.name) not in found]
        created = []
        for topic in missing:
            if _create(client, topic, settings):
                created.append(settings.topic(topic.name))
        client.wait_for_topics([settings.topic(topic.name) for topic in ALL])
    return created


def require_topic(settings: Settings, topic: str) -> int:
    """The partitions of a topic, named with the deployment's prefix.

    Raises SettingsError if it does not exist, UnavailableError if the broker does not answer.
    """
    with admin(settings) as client:
        count = partition_counts(client, settings).get(topic)
    if count is None:
        raise no_topic(settings, topic)
    return count


def no_topic(settings: Settings, topic: str) -> SettingsError:
    """The error of a topic that does not exist."""
    # a broker says nothing of a topic that its user may not see
    hidden = (
        ""
        if settings.kafka_security == "plaintext"
        else ", or this user may not see it (`touchline topics --acls`)"
    )
    return SettingsError(
        f"topic {topic} does not exist on {settings.brokers}{hidden}: run `touchline topics`"
    )


def partition_counts(client: KafkaAdminClient, settings: Settings) -> dict[str, int]:
    """Partitions of each of our topics that exists on the broker."""
    # naming the topics in the request would create them on a broker with auto.create.topics.enable
    existing = set(client.list_topics()) & {settings.topic(topic.name) for topic in ALL}
    if not existing:
        return {}
    described = client.describe_topics(sorted(existing))
    return {
        item["name"]: len(item["partitions"]) for item in described if item["error_code"] != _UNKNOWN_TOPIC
    }


def _require_partitions(found: dict[str, int], settings: Settings) -> None:
    for name, partitions in found.items():
        if partitions != settings.partitions:
            raise SettingsError(
                f"topic {name} has {partitions} partitions but TOUCHLINE_PARTITIONS is {settings.partitions}:"
                f" set it to {partitions}, or use another TOUCHLINE_TOPIC_PREFIX"
            )


def _create(client: KafkaAdminClient, topic: Topic, settings: Settings) -> bool:
    """Whether this process created it; another one may have been faster."""
    name = settings.topic(topic.name)
    wanted = {
        "num_partitions": settings.partitions,
        "replication_factor": settings.replication,
        "configs": topic.config(),
    }
    answer = client.create_topics({name: wanted}, timeout_ms=TIMEOUT_MS, raise_errors=False)
    (result,) = answer["topics"]
    error = for_code(result["error_code"])
    if error is TopicAlreadyExistsError:
        return False
    if result["error_code"]:
        message = f"topic {name} cannot be created: {result['error_message'] or error.__name__}"
        raise broken(settings.brokers, KafkaError(message))
    return True
