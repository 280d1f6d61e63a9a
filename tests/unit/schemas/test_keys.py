"""Keys and partitions agree with every standard Kafka client."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import DefaultPartitioner

from schemas.keys import identifier_key, partition_of, profile_key, tenant_key
from schemas.murmur2 import murmur2

#: org.apache.kafka.common.utils.UtilsTest.testMurmur2
KAFKA_VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("data", "expected"), KAFKA_VECTORS.items())
def test_the_hash_is_kafkas(data: bytes, expected: int) -> None:
    assert murmur2(data) == expected % 2**32
    assert partition_of(data, 1000) == (expected & 0x7FFFFFFF) % 1000


def sent_by_kafka_python(key: bytes, partitions: int) -> int:
    everything = set(range(partitions))
    cluster = SimpleNamespace(
        topics=lambda: {"t"},
        partitions_for_topic=lambda _: everything,
        available_partitions_for_topic=lambda _: everything,
    )
    return DefaultPartitioner().partition("t", key, key, b"", b"", cluster)


@given(st.binary(max_size=64), st.integers(1, 64))
def test_a_key_goes_where_kafka_pythons_default_partitioner_sends_it(key: bytes, partitions: int) -> None:
    assert partition_of(key, partitions) == sent_by_kafka_python(key, partitions)


def test_keys_read_as_documented() -> None:
    assert identifier_key("acme", {"type": "email", "value": "a/b:c"}) == b"acme/email:a/b:c"
    assert profile_key("acme", "p1") == b"acme/p1"
    assert tenant_key("acme") == b"acme"
