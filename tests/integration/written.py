"""Public topics without a worker: a test writes what Touchline would."""

import uuid
from typing import Any

from kafka import KafkaProducer

from deploy.kafka_admin.topics import create_topics
from deploy.sandbox import Broker
from schemas import topics
from schemas.encoding.codec import encode
from schemas.headers import VERSION
from schemas.keys import identifier_key, profile_key
from schemas.settings import Settings
from schemas.topics import Topic
from tests.support.examples import example

SECRET = "0123456789abcdef" * 4


class Log:
    """A deployment's topics, two partitions each. Close it."""

    def __init__(self, broker: Broker) -> None:
        self.settings = Settings(
            brokers=broker.address, topic_prefix=f"{uuid.uuid4().hex[:8]}.", partitions=2, pseudonym_key=SECRET,
            idempotent_producer=int(broker.idempotent),
        )  # fmt: skip
        create_topics(self.settings)
        self._producer = KafkaProducer(bootstrap_servers=broker.address, enable_idempotence=False)

    def write(self, topic: Topic, key: bytes, value: bytes | None, version: int = 0) -> None:
        headers = [(VERSION, str(version).encode())] if value is None else []
        self._producer.send(self.settings.topic(topic.name), key=key, value=value, headers=headers).get(10)

    def state(self, profile: str, version: int, **fields: Any) -> None:
        record = example("JourneyState") | {"profile_id": profile, "version": version, **fields}
        self.write(topics.JOURNEY_STATES, profile_key("default", profile), encode("JourneyState", record))

    def own(self, identifier: dict[str, str], profile: str, version: int) -> None:
        record = example("IdentityAssignment") | {
            "tenant": "default", "identifier": identifier, "profile_id": profile, "version": version,
            "contested_from": None, "contested_profile_id": None,
        }  # fmt: skip
        key = identifier_key("default", identifier)  # type: ignore[arg-type]
        self.write(topics.IDENTITY_ASSIGNMENTS, key, encode("IdentityAssignment", record))

    def close(self) -> None:
        self._producer.close()
