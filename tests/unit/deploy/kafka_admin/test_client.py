"""A producer is closed whatever it still has to send, and the error that ended its work is the one that is told."""

import pytest
from kafka.errors import KafkaTimeoutError

from deploy.ingest.publisher import Publisher
from deploy.kafka_admin.client import close_producer
from schemas.errors import UnavailableError


class Sender:
    """kafka-python's thread: it ends once it is told to, and abandons what is left."""

    def __init__(self) -> None:
        self.forced = self.joined = False

    def force_close(self) -> None:
        self.forced = True

    def join(self, _: float) -> None:
        self.joined = True


class Producer:
    """kafka-python's producer with a broker that confirms nothing: `close` flushes first, and gives up there."""

    def __init__(self) -> None:
        self._sender = Sender()
        self.closed = False

    def flush(self, timeout: float) -> None:
        assert timeout >= 0
        if not self._sender.joined:
            raise KafkaTimeoutError("Timeout waiting for future")

    def close(self, timeout: float) -> None:
        self.flush(timeout)
        self.closed = True


def test_a_producer_that_cannot_send_is_closed_all_the_same() -> None:
    producer = Producer()
    close_producer(producer, 0.01)
    assert producer.closed
    assert producer._sender.forced


def test_a_publisher_whose_broker_stops_confirming_says_that_and_nothing_else() -> None:
    publisher = Publisher.__new__(Publisher)  # without the broker that its constructor asks
    publisher._producer, publisher._brokers, publisher.sent = Producer(), "kafka:9092", 7
    with pytest.raises(UnavailableError, match="confirmed 7 touchpoints, then failed"), publisher:
        publisher.flush()
    assert publisher._producer.closed
