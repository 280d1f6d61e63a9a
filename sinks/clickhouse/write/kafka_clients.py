"""The loader's connections to Kafka."""

from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from schemas import topics
from schemas.kafka_client import client_options
from schemas.settings import Settings

#: The loader keeps its partitions during an outage of ClickHouse of up to this length: the heartbeat goes on.
MAX_POLL_MS: Final = 24 * 60 * 60 * 1000
#: What a broker may send ahead while a flush waits. It bounds memory during an outage.
FETCH_BYTES: Final = 16 * 1024 * 1024
#: Milliseconds that a broker may hold back the answer to a fetch request for which it has no records. Partitions with
#: unread records are left out of a request: what they get next waits until it is answered.
FETCH_WAIT_MS: Final = 500
#: Of one dead letter: more than a record of the largest size takes in it.
MAX_REQUEST_BYTES: Final = 4 * 1024 * 1024


def producer_of(settings: Settings) -> AIOKafkaProducer:
    """For dead letters."""
    return AIOKafkaProducer(
        **client_options(settings),
        acks="all",
        enable_idempotence=bool(settings.idempotent_producer),
        max_request_size=MAX_REQUEST_BYTES,
    )


def consumer_of(settings: Settings) -> AIOKafkaConsumer:
    """A member of the loader group, which commits by itself."""
    session_ms = int(settings.session_timeout * 1000)
    return AIOKafkaConsumer(
        **client_options(settings),
        group_id=settings.topic(topics.LOADER_GROUP),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=session_ms,
        heartbeat_interval_ms=session_ms // 3,
        max_poll_interval_ms=MAX_POLL_MS,
        fetch_max_bytes=FETCH_BYTES,
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )
