"""Keys and partitions agree with every standard Kafka client."""

from types import SimpleNamespace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import DefaultPartitioner

from schemas.keys import identifier_key, is_uuid, partition_of, profile_key, tenant_key
from schemas.murmur2 import murmur2
from tests.support.ids import ODD_IDS

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


@given(st.uuids())
def test_the_standard_text_of_a_uuid_is_an_id(one: UUID) -> None:
    assert is_uuid(str(one))


@given(st.uuids() | st.text(max_size=40))
def test_an_id_has_one_spelling(one: UUID | str) -> None:
    text = str(one)
    for other in (text.upper(), text.replace("-", ""), f"{{{text}}}", f"{text}\n", text[::-1]):
        assert not is_uuid(other) or str(UUID(other)) == other


@pytest.mark.parametrize("odd", ODD_IDS)
def test_what_only_looks_like_an_id_is_none(odd: str) -> None:
    assert not is_uuid(odd)
