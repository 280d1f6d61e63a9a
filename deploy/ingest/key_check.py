"""Refuse to go on with another pseudonymisation key than the one that was first used under the same id.

Under another key one e-mail address becomes two people, and no other check would notice. The first process that
pseudonymises writes its key's check value to Kafka. Every later process compares its own. A command that stores nothing
compares, too, and notes no key.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from kafka import TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError

from deploy.kafka_admin.client import TIMEOUT_MS, TIMEOUT_SECONDS, broken, close_producer, consumer, producer
from deploy.kafka_admin.topics import require_topic
from schemas.errors import SettingsError, UnavailableError, UnseenError
from schemas.keys import partition_of
from schemas.settings import Settings
from schemas.topics import PSEUDONYM_KEYS
from streams.identity.policy.policy import IdentityPolicy


class AnotherKeyError(SettingsError):
    """The configured key is not the one that the deployment knows under its id."""


@contextmanager
def unseen_by_this_key(settings: Settings, policy: IdentityPolicy) -> Iterator[None]:
    """Look somebody up within it: under another key a person who is known seems unknown.

    Raises AnotherKeyError in place of an UnseenError if the key is another one. Kafka is asked only then, and need not
    answer, so that a look-up does not depend on it.
    """
    try:
        yield
    except UnseenError:
        compared(settings, policy)
        raise


def compared(settings: Settings, policy: IdentityPolicy) -> bool:
    """Whether the key could be compared: False if no broker answers or the topic is missing. Raises AnotherKeyError."""
    try:
        require_same_key(settings, policy, note=False)
    except AnotherKeyError:
        raise
    except (UnavailableError, SettingsError):
        return False
    return True


def require_same_key(settings: Settings, policy: IdentityPolicy, *, note: bool = True) -> None:
    """Compare the policy's key with the one that this deployment knows under its id; with `note`, note the first one.

    Returns at once if the policy hides nothing. Raises AnotherKeyError, SettingsError for a missing topic, and
    UnavailableError if Kafka does not answer.
    """
    for check in policy.key_checks():
        require_known_key(settings, check, note=note)


def require_known_key(settings: Settings, check: tuple[str, str], *, note: bool = True) -> None:
    """`require_same_key` for the id and the check value of a key (`IdentityPolicy.key_check`)."""
    key, value = (text.encode() for text in check)
    topic = settings.topic(PSEUDONYM_KEYS.name)
    part = TopicPartition(topic, partition_of(key, require_topic(settings, topic)))
    try:
        known = _first(settings, part, key)
        if known is None and not note:
            return
        if known is None:
            _write(settings, part, key, value)
            # two processes may write at once: the record with the lower offset counts for both
            known = _first(settings, part, key)
    except KafkaError as error:
        raise broken(settings.brokers, error) from error
    if known != value:
        raise AnotherKeyError(
            f"TOUCHLINE_PSEUDONYM_KEY is not the key that this deployment knows as {check[0]!r}, and under another key"
            " everybody is a stranger: set the key that its other processes use, or, to change to a new key, a new name"
            " in TOUCHLINE_PSEUDONYM_KEY_ID"
        )


def _first(settings: Settings, part: TopicPartition, key: bytes) -> bytes | None:
    """The value of the key's record with the lowest offset."""
    reader = consumer(settings, fetch_max_wait_ms=1)
    try:
        reader.assign([part])
        reader.seek_to_beginning(part)
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            for record in reader.poll(timeout_ms=20).get(part, ()):
                if record.key == key:
                    return bytes(record.value)
            end = reader.highwater(part)
            if end is not None and reader.position(part) >= end:
                return None
            if time.monotonic() > deadline:
                raise KafkaTimeoutError("no answer to a fetch")
    finally:
        reader.close()


def _write(settings: Settings, part: TopicPartition, key: bytes, value: bytes) -> None:
    sender = producer(
        settings, "touchline-key",
        max_block_ms=TIMEOUT_MS, request_timeout_ms=TIMEOUT_MS, delivery_timeout_ms=2 * TIMEOUT_MS,
    )  # fmt: skip
    try:
        sender.send(part.topic, key=key, value=value, partition=part.partition).get(2 * TIMEOUT_SECONDS)
    finally:
        close_producer(sender, 5)
