"""A worker is stopped between a deadline and its signal, past its session; its successor dies before it can notice."""

import logging
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from deploy.sandbox import Process, kafka_jars
from schemas.topics import JOURNEY_SIGNALS
from tests.faults.arena import Arena, Scale, Trial, arena, trial
from tests.support.subscriber import Subscriber
from tests.support.touchpoints import touchpoint

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.kafka,
    pytest.mark.soak,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PEOPLE = 12  #: so that either worker has some
ABANDONED = "abandoned_cart"


@pytest.fixture(scope="module")
def where() -> Iterator[Arena]:
    missing = kafka_jars.missing_programs()
    if missing:
        pytest.skip(f"Apache Kafka needs {' and '.join(missing)} on PATH")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    with arena() as found:
        yield found


def signals(running: Trial) -> list[bytes]:
    """All records of the signals' topic, partition by partition."""
    settings = running.live.settings
    consumer = KafkaConsumer(bootstrap_servers=settings.brokers, enable_auto_commit=False)
    try:
        places = [
            TopicPartition(settings.topic(JOURNEY_SIGNALS.name), number)
            for number in range(settings.partitions)
        ]
        consumer.assign(places)
        consumer.seek_to_beginning()
        ends, found = consumer.end_offsets(places), []
        until = time.monotonic() + 60
        while any(consumer.position(place) < ends[place] for place in places):
            assert time.monotonic() < until, "the signals cannot be read"
            for records in consumer.poll(timeout_ms=200).values():
                found += [record.value for record in records]
        return found
    finally:
        consumer.close()


def abandoned(running: Trial) -> set[str]:
    """The profiles whose cart is abandoned as far as subscribers know."""
    told = Subscriber().read(signals(running)).holding()
    return {one["profile_id"] for one in told if one["kind"] == ABANDONED}


def stopped(worker: Process) -> bool:
    return worker.alive and " T " in Path(f"/proc/{worker.pid}/stat").read_text()


def publish(running: Trial, name: str, minute: int, type_: str) -> None:
    events = [
        touchpoint(f"{name}-{person}", minute=minute, type=type_, ids=[("cookie", f"p{person}")])
        for person in range(PEOPLE)
    ]
    running.events += events
    with running.producer() as send:
        for event in events:
            send(event)


@pytest.mark.parametrize("variant", ["worker_stops_before_it_raises"])
def test_no_signal_stays_that_does_not_hold(where: Arena, variant: str) -> None:
    with trial(where, 1, 10, workers=2, worker=variant, scale=Scale.SHORT) as running:
        running.events.clear()
        stop = running.live.logs / "stop"
        running.wait_idle()
        stop.touch()
        publish(running, "cart", 0, "add_to_cart")
        running.wait(lambda: any(map(stopped, running.live.workers)), "a worker that stops at a deadline")
        (zombie,) = filter(stopped, running.live.workers)
        (owner,) = (worker for worker in running.live.workers if worker is not zombie)
        # before the successor has waited long enough to raise the signal itself
        publish(running, "order", 1, "order_placed")
        running.wait_idle()
        assert stopped(zombie)
        assert abandoned(running) == set()

        zombie.signal(signal.SIGCONT)
        time.sleep(0.4)
        owner.kill()
        running.sleep(1)
        running.recovered()
        running.wait_idle()

        assert abandoned(running) == set()
        assert not stop.exists()
