"""confluent-kafka and fastavro, by docs/sdk.md and the .avsc alone.

story FRAMING    three touchpoints of one person; FRAMING is single or confluent
many FRAMING N   N touchpoints, some milliseconds apart
read             the newest journey state of each profile, one JSON object a line
"""

import json
import os
import sys
import time
from io import BytesIO
from pathlib import Path

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from fastavro import schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, load_schema_ordered, parse_schema, to_parsing_canonical_form

SCHEMAS = Path(os.environ["SCHEMAS"])
PREFIX, SOURCE, BROKERS = os.environ["TOPIC_PREFIX"], os.environ["SOURCE"], os.environ["BROKERS"]
TOPIC = f"{PREFIX}touchpoints"


def schema_of(*names):
    return load_schema_ordered([str(SCHEMAS / "avro" / f"{name}.avsc") for name in names])


def header(schema):
    return b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def single():
    schema = schema_of("Identifier", "Touchpoint")
    first = header(schema)

    def serialise(record):
        buffer = BytesIO()
        schemaless_writer(buffer, schema, record)
        return first + buffer.getvalue()

    return serialise


def confluent():
    registry = SchemaRegistryClient({"url": os.environ["REGISTRY"]})
    serializer = AvroSerializer(registry, conf={"auto.register.schemas": False, "use.latest.version": True})
    return lambda record: serializer(record, SerializationContext(TOPIC, MessageField.VALUE))


def touchpoint(event_id, kind, identifiers, **fields):
    now = int(time.time() * 1000)
    return {
        "tenant": "default", "event_id": event_id, "occurred_at": now, "received_at": now, "source": SOURCE,
        "channel": "web", "type": kind,
        "identifiers": [{"type": one, "value": value} for one, value in identifiers],
        "consent": {}, "experiments": {}, "link": "OBSERVED", "attributes": {}, **fields,
    }  # fmt: skip


def story():
    cookie, customer = ("cookie", f"anon-{SOURCE}"), ("customer_id", f"user-{SOURCE}")
    yield touchpoint("1", "product_view", [cookie])
    yield touchpoint("2", "login", [customer, cookie])
    yield touchpoint("3", "order_placed", [customer], order_id="o1", amount_minor=1999, currency="EUR")


def many(count):
    for number in range(count):
        time.sleep(0.005)
        yield touchpoint(f"many-{number}", "page_view", [("cookie", f"many-{SOURCE}")])


def publish(records, serialise):
    failed = []
    producer = Producer(
        {
            "bootstrap.servers": BROKERS, "acks": "all", "enable.idempotence": True,
            "partitioner": "murmur2_random", "message.timeout.ms": 120_000,
        }
    )  # fmt: skip
    for record in records:
        strongest = record["identifiers"][0]
        key = f"{record['tenant']}/{strongest['type']}:{strongest['value']}"
        told = lambda error, _: failed.append(error) if error else None  # noqa: E731
        producer.produce(TOPIC, key=key, value=serialise(record), on_delivery=told)
        producer.poll(0)
    assert producer.flush(120) == 0
    assert not failed, failed


def read():
    # fastavro's loader leaves a type that another file nests where it is: the version is whole
    versions = sorted((SCHEMAS / "versions" / "JourneyState").glob("*.json"), key=lambda path: int(path.stem))
    schema = parse_schema(json.loads(versions[-1].read_text()))
    first = header(schema)
    topic = f"{PREFIX}journey-states"
    consumer = Consumer({"bootstrap.servers": BROKERS, "group.id": SOURCE, "enable.auto.commit": False})
    places = [TopicPartition(topic, one, 0) for one in consumer.list_topics(topic).topics[topic].partitions]
    left = sum(high for _, high in map(consumer.get_watermark_offsets, places))
    consumer.assign(places)
    states = {}
    while left:
        message = consumer.poll(10)
        assert message is not None
        assert not message.error(), message.error()
        left -= 1
        value = message.value()
        if value is None:
            states.pop(message.key(), None)
        elif value[:10] == first:
            state = schemaless_reader(BytesIO(value[10:]), schema)
            if state["version"] >= states.get(message.key(), state)["version"]:
                states[message.key()] = state
    consumer.close()
    for state in states.values():
        print(
            json.dumps(
                {name: state[name] for name in ("profile_id", "version", "touchpoints", "orders", "revenue")}
            )
        )


match sys.argv[1:]:
    case ["story", framing]:
        publish(story(), single() if framing == "single" else confluent())
    case ["many", framing, count]:
        publish(many(int(count)), single() if framing == "single" else confluent())
    case ["read"]:
        read()
