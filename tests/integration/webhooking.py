"""`touchline webhooks run` on a broker of tests: signals and states as a worker publishes them, and a receiver."""

import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaProducer

from deploy.kafka_admin.topics import create_topics
from deploy.ports import free_port, listens
from deploy.repair.webhooks import messages
from deploy.sandbox import Broker, Process
from schemas import topics
from schemas.encoding.record_types import JOURNEY_SIGNAL, JOURNEY_STATE
from schemas.keys import partition_of, profile_key
from schemas.settings import Settings
from schemas.topics import Topic
from tests.integration.parts import TOUCHLINE
from tests.support.kafka_records import example
from tests.support.webhook_receiver import received
from tests.support.webhooks import SECRET

CONFIG = """
[endpoints.campaigns]
url = "http://127.0.0.1:{port}/hook"
signals = ["*"]
secret = "{secret}"
allow_private = true
timeout = 5
retry = {{ first = "200ms", longest = "1s", give_up = "1h" }}
{more}
"""


class Hooks:
    """A deployment without workers: topics, a receiver, and instances of the service."""

    def __init__(self, broker: Broker, folder: Path, more: str = "", pause: float = 0.0) -> None:
        self.folder = folder
        self.port = free_port()
        config = folder / "webhooks.toml"
        config.write_text(CONFIG.format(port=self.port, secret=SECRET, more=more))
        self.settings = Settings(
            brokers=broker.address, topic_prefix=f"{uuid.uuid4().hex[:10]}.", partitions=4, session_timeout=6.0,
            idempotent_producer=int(broker.idempotent), webhooks=str(config),
        )  # fmt: skip
        create_topics(self.settings)
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

    def forget_broker(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=1)
            self._producer = None

    def publish(self, records: Iterable[tuple[Topic, str, bytes]]) -> None:
        """Topic, profile and value of each; returns when the broker has them."""
        producer = self.producer()
        sent = []
        for topic, profile, value in records:
            key = profile_key("default", profile)
            partition = partition_of(key, self.settings.partitions)
            sent.append(producer.send(self.settings.topic(topic.name), value, key=key, partition=partition))
        producer.flush(30)
        for one in sent:
            one.get(30)

    def outbox(self) -> list[Any]:
        return list(messages(self.settings))

    def settled(self, expected: Mapping[str, str]) -> bool:
        """Whether the service knows the newest status of every signal, and nothing waits."""
        found = {one["subject"]: one for one in self.outbox()}
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
        self.forget_broker()


@contextmanager
def hooks(broker: Broker, folder: Path, more: str = "", pause: float = 0.0) -> Iterator[Hooks]:
    running = Hooks(broker, folder, more, pause)
    try:
        yield running
    finally:
        running.close()


def wait(condition: Callable[[], object], running: Hooks, seconds: float = 90.0, pause: float = 0.1) -> None:
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
        **example("JourneySignal"), "profile_id": profile, "signal_id": subject, "status": status,
        "version": 2 * version, "reason": None if status == "RAISED" else "CONTRADICTED", **fields,
    }  # fmt: skip
    return topics.JOURNEY_SIGNALS, profile, JOURNEY_SIGNAL.encode(body)


def a_state(profile: str, version: int, **fields: Any) -> tuple[Topic, str, bytes]:
    body = {**example("JourneyState"), "profile_id": profile, "version": version, **fields}
    return topics.JOURNEY_STATES, profile, JOURNEY_STATE.encode(body)


def told(effects: Iterable[dict[str, Any]]) -> dict[str, list[str]]:
    """Signal → what the receiver acted on, in order."""
    found: dict[str, list[str]] = {}
    for line in effects:
        signal = line["body"]["data"]["signal"]
        found.setdefault(signal["signal_id"], []).append(signal["status"])
    return found
