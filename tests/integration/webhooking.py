"""`touchline webhooks run` on a broker of tests: signals and states as a worker publishes them, and a receiver."""

import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError

from deploy.kafka_admin.client import admin
from deploy.ports import free_port, listens
from deploy.repair.webhooks import messages
from deploy.sandbox import Broker, Process
from schemas import topics
from schemas.encoding.record_types import JOURNEY_SIGNAL, JOURNEY_STATE
from schemas.errors import UnavailableError
from schemas.keys import partition_of, profile_key
from schemas.settings import Settings
from schemas.topics import Topic
from tests.integration.parts import TOUCHLINE
from tests.support.ids import named_id, person
from tests.support.kafka_records import example
from tests.support.webhook_receiver import received
from tests.support.webhooks import SECRET

CONFIG = """
[endpoints.campaigns]
url = "http://127.0.0.1:{port}/hook"
signals = ["abandoned_cart"]
changes = ["stage"]
secret = "{secret}"
allow_private = true
timeout = 5
retry = {{ first = "200ms", longest = "1s", give_up = "1h" }}

[endpoints.marketing]
url = "http://127.0.0.1:{port}/hook"
signals = ["quote_unanswered"]
consent = "marketing"
secret = "{secret}"
allow_private = true
retry = {{ first = "200ms", longest = "1s", give_up = "1h" }}
"""

#: What the service reads and writes, and what counts the versions that it reads.
NEEDED = (
    topics.JOURNEY_SIGNALS, topics.JOURNEY_STATES, topics.IDENTITY_ASSIGNMENTS, topics.ACCOUNT_STATES,
    topics.WEBHOOK_REQUESTS, topics.WEBHOOKS_CHANGELOG, topics.WEBHOOK_DELIVERIES,
    topics.JOURNEY_INPUTS, topics.IDENTITY_LINKS, topics.ACCOUNT_INPUTS,
)  # fmt: skip
PATIENCE = 180.0


class Hooks:
    """A deployment without workers: topics, a receiver, and instances of the service."""

    def __init__(self, broker: Broker, folder: Path, pause: float = 0.0) -> None:
        self.folder = folder
        self.port = free_port()
        config = folder / "webhooks.toml"
        config.write_text(CONFIG.format(port=self.port, secret=SECRET))
        self.settings = Settings(
            brokers=broker.address, topic_prefix=f"{uuid.uuid4().hex[:10]}.", partitions=2, session_timeout=6.0,
            idempotent_producer=int(broker.idempotent), webhooks=str(config),
        )  # fmt: skip
        self.create(*NEEDED)
        self.file = folder / "received.jsonl"
        command = [
            sys.executable,
            "-m",
            "tests.support.webhook_receiver",
            str(self.port),
            str(self.file),
            SECRET,
        ]
        self.receiver = Process("receiver", [*command, str(pause)], folder / "receiver.log")
        self.services: list[Process] = []
        self._producer: KafkaProducer | None = None

    def create(self, *needed: Topic) -> None:
        """Create topics, as long as a busy machine takes for it."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with admin(self.settings) as client:
                    there = set(client.list_topics())
                    for topic in needed:
                        name = self.settings.topic(topic.name)
                        if name not in there:
                            client.create_topics(
                                {
                                    name: {
                                        "num_partitions": 2,
                                        "replication_factor": 1,
                                        "configs": topic.config(),
                                    }
                                }
                            )
                    client.wait_for_topics([self.settings.topic(topic.name) for topic in needed])
            except (UnavailableError, KafkaError):
                assert time.monotonic() < deadline, "no topics"
            else:
                return

    def start_receiver(self) -> None:
        self.receiver.start()
        wait(lambda: listens("127.0.0.1", self.port), self)

    def start_service(self, *options: str) -> Process:
        name = f"webhooks-{len(self.services) + 1}"
        command = [*TOUCHLINE, "webhooks", "run", "--table", str(self.folder / f"{name}.sqlite"), *options]
        service = Process(name, command, self.folder / f"{name}.log", self.settings.to_env())
        self.services.append(service)
        service.start()
        return service

    def producer(self) -> KafkaProducer:
        if self._producer is None:
            self._producer = KafkaProducer(bootstrap_servers=self.settings.brokers, acks="all", linger_ms=5)
        return self._producer

    def forget_broker(self, seconds: float = 1) -> None:
        """`seconds`: for the producer to close its connections; one that is cut off leaves them open."""
        if self._producer is not None:
            self._producer.close(timeout=seconds)
            self._producer = None

    def publish(self, records: Iterable[tuple[Topic, str, bytes]]) -> None:
        """Topic, profile and value of each; returns when the broker has them."""
        sent = [self.send(*record) for record in records]
        self.producer().flush(30)
        for one in sent:
            one.get(30)

    def send(self, topic: Topic, profile: str, value: bytes) -> Any:
        """Send one record of somebody called `profile`; returns its future."""
        key = profile_key("default", person(profile))
        partition = partition_of(key, self.settings.partitions)
        return self.producer().send(self.settings.topic(topic.name), value, key=key, partition=partition)

    def outbox(self) -> list[Any]:
        return list(messages(self.settings))

    def settled(self, expected: Mapping[str, str]) -> bool:
        """Whether the service knows the newest status of every signal, and nothing waits."""
        found = {one["subject"]: one for one in self.outbox()}
        expected = {named_id(name): status for name, status in expected.items()}
        return all(one["status"] != "PENDING" for one in found.values()) and expected.items() <= {
            (subject, one["wanted"]) for subject, one in found.items()
        }

    def effects(self) -> list[dict[str, Any]]:
        return [line for line in received(self.file) if line["effect"]]

    def log(self) -> str:
        parts = [self.receiver, *self.services]
        return "\n".join(f"--- {one.name}\n{one.log_tail(30)}" for one in parts if one.log.exists())

    def close(self) -> None:
        for one in (*self.services, self.receiver):
            one.stop(timeout=8)
        self.forget_broker(10)


@contextmanager
def hooks(broker: Broker, folder: Path, pause: float = 0.0) -> Iterator[Hooks]:
    running = Hooks(broker, folder, pause)
    try:
        yield running
    finally:
        running.close()


def wait(
    condition: Callable[[], object], running: Hooks, seconds: float = PATIENCE, pause: float = 0.1
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            waiting = [one for one in running.outbox() if one["status"] == "PENDING"]
            raise AssertionError(f"waited in vain\n{running.log()}\n{len(waiting)} wait: {waiting[:3]}")
        time.sleep(pause)


def a_signal(
    profile: str, subject: str, status: str, version: int, **fields: Any
) -> tuple[Topic, str, bytes]:
    body = {
        **example("JourneySignal"), "profile_id": person(profile), "signal_id": named_id(subject), "status": status,
        "version": 2 * version, "reason": None if status == "RAISED" else "CONTRADICTED", **fields,
    }  # fmt: skip
    return topics.JOURNEY_SIGNALS, profile, JOURNEY_SIGNAL.encode(body)


def a_state(profile: str, version: int, **fields: Any) -> tuple[Topic, str, bytes]:
    body = {**example("JourneyState"), "profile_id": person(profile), "version": version, **fields}
    return topics.JOURNEY_STATES, profile, JOURNEY_STATE.encode(body)


class Told(dict[str, list[str]]):
    """By the id of the signal; asked by the name that a test gives it."""

    def of(self, name: str) -> list[str]:
        return self.get(named_id(name), [])


def told(effects: Iterable[dict[str, Any]]) -> Told:
    """Signal → what the receiver acted on, in order."""
    found = Told()
    for line in effects:
        signal = line["body"]["data"]["signal"]
        if signal is None:
            continue
        found.setdefault(signal["signal_id"], []).append(signal["status"])
    return found
