"""A deployment that another release leaves behind: the present code takes over what is in Kafka, and goes on."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from deploy.kafka_admin.lag import groups
from deploy.sandbox import Broker, ClickHouseServer
from schemas.topics import ALL, WORKER_GROUP
from tests.integration.parts import Deployment, deployment
from tests.integration.test_accounts import assert_accounts_equal
from tests.integration.test_pipeline import assert_live_equals, send
from tests.upgrade.stored import Sample, samples

pytestmark = pytest.mark.sandbox


@contextmanager
def left_behind(sample: Sample, broker: Broker, clickhouse: ClickHouseServer) -> Iterator[Deployment]:
    """The topics of a sample, read to their ends by workers that are gone; ClickHouse is to be filled anew."""
    with deployment(broker, clickhouse, workers=0, loader=False, **sample.settings()) as live:
        fill(live, sample)
        yield live


def fill(live: Deployment, sample: Sample) -> None:
    settings = live.settings
    ends: dict[TopicPartition, int] = defaultdict(int)
    producer = KafkaProducer(bootstrap_servers=settings.brokers, acks="all", enable_idempotence=False)
    for topic in ALL:
        for record in sample.records(topic):
            place = TopicPartition(settings.topic(topic.name), record.partition)
            producer.send(
                place.topic, partition=place.partition, key=record.key, value=record.value, headers=record.headers
            )  # fmt: skip
            ends[place] += 1
    producer.flush()
    producer.close()
    read = {settings.topic(topic.name) for topic in groups()[WORKER_GROUP]}
    consumer = KafkaConsumer(bootstrap_servers=settings.brokers, group_id=settings.topic(WORKER_GROUP))
    places = {place: OffsetAndMetadata(end, "", -1) for place, end in ends.items() if place.topic in read}
    consumer.assign(list(places))
    consumer.commit(places)
    consumer.close()


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: f"of-{sample.release}")
def test_what_a_release_left_is_taken_over_and_grows_as_if_nothing_had_happened(
    tansu, clickhouse, sample: Sample
) -> None:
    later, replay = sample.later(), sample.replay()
    with left_behind(sample, tansu, clickhouse) as live:
        # some wait when the new release starts, the others come while it runs
        send(later[::2], live)
        live.start_worker()
        live.start_loader()
        send(later[1::2], live)
        live.wait_idle()

        for event in later:
            replay.add(event)
        assert_live_equals(replay, live)
        assert_accounts_equal(replay, live)
        assert live.query("SELECT count() FROM dead_letters") == [(0,)]
        # nothing was read again from the beginning: whom nothing new concerned was not published again
        ((published, profiles),) = live.query(
            "SELECT count(), uniqExact(profile_id) FROM raw_journey_states WHERE tenant = 'other'"
        )
        assert published == profiles > 0
