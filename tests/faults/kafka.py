"""Apache Kafka with a second door that leads through a proxy, and what an operator can do to its topics."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from deploy.ports import LOOPBACK
from deploy.sandbox.brokers import KafkaBroker
from schemas.settings import Settings
from tests.faults.proxy import Proxy


class TwoDoorKafka(KafkaBroker):
    """`address` is the straight way in; whoever comes by `proxied` is led through the proxy for everything."""

    def __init__(self, data_dir: Path, log_dir: Path, proxy: Proxy) -> None:
        super().__init__(data_dir, log_dir)
        self._proxy = proxy

    @property
    def proxied(self) -> str:
        return f"{LOOPBACK}:{self._proxy.port}"

    def _prepare(self) -> list[str]:
        command = super()._prepare()
        path = self.data_dir / "server.properties"
        text = path.read_text()
        text = text.replace(
            "listeners=PLAINTEXT://", f"listeners=PROXIED://{LOOPBACK}:{self._proxy.target},PLAINTEXT://"
        )
        text = text.replace(
            "advertised.listeners=PROXIED://" + f"{LOOPBACK}:{self._proxy.target},",
            f"advertised.listeners=PROXIED://{self.proxied},",
        )
        text = text.replace("protocol.map=", "protocol.map=PROXIED:PLAINTEXT,")
        text += "\ninter.broker.listener.name=PLAINTEXT\n"
        # short forms do not wait six seconds for a dead worker
        text += "group.min.session.timeout.ms=1000\n"
        path.write_text(text)
        return command


@contextmanager
def configured(settings: Settings, topic: str, **configs: str) -> Iterator[None]:
    """Give a topic other settings (underscores for dots) for a while."""
    named = {name.replace("_", "."): value for name, value in configs.items()}
    before = set_config(settings, topic, named)
    try:
        yield
    finally:
        set_config(settings, topic, {name: before.get(name) for name in named})


def set_config(settings: Settings, topic: str, values: Mapping[str, str | None]) -> dict[str, str]:
    """Change a topic's settings (None: the default), and return what was set; afterwards the broker goes by them."""
    client = KafkaAdminClient(bootstrap_servers=settings.brokers)
    try:
        name = settings.topic(topic)
        before = _configs(client, name)
        given = {key: value for key, value in values.items() if value is not None}
        if given:
            client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, given)])
        if values.keys() - given:
            client.reset_configs([ConfigResource(ConfigResourceType.TOPIC, name, [*(values.keys() - given)])])
        wanted = {**{key: value for key, value in before.items() if key not in values}, **given}
        deadline = time.monotonic() + 20
        while _configs(client, name) != wanted:
            assert time.monotonic() < deadline, f"{name} does not take {dict(values)}"
            time.sleep(0.05)
        return before
    finally:
        client.close()


def _configs(client: KafkaAdminClient, name: str) -> dict[str, str]:
    """What is set for a topic, as the broker has it now."""
    described = client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    return {key: found["value"] for key, found in described["topic"][name].items()}


def delete_topics(settings: Settings, topics: list[str]) -> None:
    """Delete topics with everything in them."""
    client = KafkaAdminClient(bootstrap_servers=settings.brokers)
    try:
        names = [settings.topic(topic) for topic in topics]
        client.delete_topics(names, timeout_ms=10_000)
        deadline = time.monotonic() + 20
        while set(names) & set(client.list_topics()):
            assert time.monotonic() < deadline, "topics are not deleted"
            time.sleep(0.1)
    finally:
        client.close()


def produce(settings: Settings, topic: str, partition: int, key: bytes | None, value: bytes | None) -> None:
    """Append one record to a partition."""
    producer = KafkaProducer(bootstrap_servers=settings.brokers, acks="all")
    producer.send(settings.topic(topic), key=key, value=value, partition=partition).get(20)
    producer.close()


def values(settings: Settings, topic: str) -> list[bytes]:
    """The values of all records of a topic, partition by partition, tombstones left out."""
    consumer = KafkaConsumer(bootstrap_servers=settings.brokers, enable_auto_commit=False)
    try:
        places = [TopicPartition(settings.topic(topic), number) for number in range(settings.partitions)]
        consumer.assign(places)
        consumer.seek_to_beginning()
        ends, found = consumer.end_offsets(places), []
        deadline = time.monotonic() + 60
        while any(consumer.position(place) < ends[place] for place in places):
            assert time.monotonic() < deadline, f"{topic} cannot be read"
            for records in consumer.poll(timeout_ms=200).values():
                found += [record.value for record in records if record.value is not None]
        return found
    finally:
        consumer.close()
