"""Record batches: the native core reads what aiokafka reads of any fetch, and builds what aiokafka builds."""

import struct
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED, FetchResult, PartitionRecords
from aiokafka.errors import CorruptRecordException
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.legacy_records import LegacyRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c
from aiokafka.structs import TopicPartition
from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.bounded_reads import bound_reads, value_bytes
from streams.runtime.native_core import installed_core
from streams.runtime.publisher import OutgoingRecord, aiokafka_batches
from streams.runtime.record_batches import (
    FetchedBytes,
    NativeBatch,
    native_batches,
    partition_records,
    read_batches_by,
)
from tests.support.native import core, law_of_both, needs_native

pytestmark = needs_native

TP = TopicPartition("touchpoints", 3)
GZIP, LOG_APPEND_TIME, CONTROL = 1, 0x08, 0x20
NOW = 1_700_000_000_000

texts = st.one_of(st.none(), st.binary(max_size=40))
headers = st.lists(st.tuples(st.text(max_size=5), texts), max_size=3)
records = st.lists(st.tuples(texts, texts, headers, st.integers(0, 2**41)), min_size=1, max_size=6)


def batch(
    of: list[tuple[Any, Any, list[Any], int]],
    base: int = 0,
    compression: int = 0,
    flags: int = 0,
    more: int = 0,
) -> bytes:
    """A batch as a broker has it. `more` are records behind its last one that compaction has removed."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=compression, is_transactional=0, producer_id=7, producer_epoch=1, base_sequence=0,
        batch_size=1 << 20,
    )  # fmt: skip
    for offset, (key, value, named, at) in enumerate(of):
        builder.append(offset, timestamp=at, key=key, value=value, headers=named)
    built = bytearray(builder.build())
    struct.pack_into(">q", built, 0, base)
    built[22] |= flags
    struct.pack_into(">i", built, 23, len(of) - 1 + more)
    return sealed(built)


def sealed(built: bytearray) -> bytes:
    """The batch with the checksum that its bytes have now."""
    struct.pack_into(">I", built, 17, calc_crc32c(bytes(built[21:])))
    return bytes(built)


@st.composite
def fetches(draw: Any) -> tuple[bytes, int]:
    """The bytes of a fetch and the offset that was asked for: perhaps in the middle of its first batch."""
    data, base = b"", draw(st.integers(0, 2**40))
    first = base
    for _ in range(draw(st.integers(1, 4))):
        of, more = draw(records), draw(st.integers(0, 2))
        flags = draw(st.sampled_from([0, 0, LOG_APPEND_TIME, CONTROL]))
        data += batch(of, base, draw(st.sampled_from([0, 0, GZIP])), flags, more)
        base += len(of) + more + draw(st.integers(0, 3))
    return data, draw(st.integers(first, base))


def fields(record: Any) -> tuple[Any, ...]:
    return (
        record.topic, record.partition, record.offset, record.timestamp, record.timestamp_type, record.key,
        record.value, record.checksum, record.serialized_key_size, record.serialized_value_size, record.headers,
    )  # fmt: skip


def unpacked(native: bool, data: bytes, offset: int, check_crcs: bool = True) -> Any:
    if native:
        found = partition_records(
            TP, FetchedBytes(installed_core(), data), None, offset, None, None, check_crcs, READ_UNCOMMITTED
        )
        assert type(found) is installed_core().FetchedBatches
        return found
    return PartitionRecords(TP, MemoryRecords(data), None, offset, None, None, check_crcs, READ_UNCOMMITTED)


def read(native: bool, data: bytes, offset: int, check_crcs: bool = True) -> list[Any]:
    """The records with the offset that is next behind each; at the end, the exception's class if there is one."""
    found: list[Any] = []
    reading = unpacked(native, data, offset, check_crcs)
    try:
        for record in reading:
            found.append((fields(record), reading.next_fetch_offset))
    except (CorruptRecordException, UnicodeDecodeError) as error:
        found.append(type(error))
    if native:
        assert list(reading) == []  # it has ended, with an error or without
    return [*found, reading.next_fetch_offset]


@law_of_both
@given(fetch=fetches(), cut=st.integers(0, 80))
def test_a_fetch_gives_the_same_records_from_any_offset_on_also_where_its_last_batch_is_cut_off(fetch, cut):
    data, offset = fetch
    assert read(True, data, offset) == read(False, data, offset)
    short = data[: max(0, len(data) - cut)]
    assert FetchedBytes(installed_core(), short).has_next() == MemoryRecords(short).has_next()
    assert read(True, short, offset) == read(False, short, offset)


@law_of_both
@given(fetch=fetches(), place=st.integers(0), bit=st.integers(0, 7), check=st.booleans())
def test_a_flipped_bit_is_found_by_the_checksum_or_read_as_aiokafka_reads_it(fetch, place, bit, check):
    data, offset = fetch
    place %= len(data)
    if not check or place in (8, 9, 10, 11, 16):
        return  # a wrong length or format: what aiokafka does then is not defined
    damaged = bytearray(data)
    damaged[place] ^= 1 << bit
    assert read(True, bytes(damaged), offset) == read(False, bytes(damaged), offset)


@law_of_both
@given(of=records, place=st.integers(0), byte=st.integers(0, 255))
def test_hostile_records_with_a_right_checksum_never_panic(of, place, byte):
    built = bytearray(batch(of))
    built[61 + place % (len(built) - 61)] = byte
    found = read(True, sealed(built), 0)
    for one in found[:-1]:
        assert one is CorruptRecordException or isinstance(one, tuple)


@pytest.mark.parametrize("length", [0, 13, -1, 20, 48])
def test_a_batch_that_is_too_short_for_its_header_is_corrupt(length: int) -> None:
    built = bytearray(batch([(b"key", b"value", [], NOW)]))
    struct.pack_into(">i", built, 8, length)
    assert FetchedBytes(installed_core(), bytes(built)).has_next()
    with pytest.raises(CorruptRecordException):
        list(unpacked(True, bytes(built), 0, check_crcs=False))


def test_a_wrong_checksum_is_the_error_of_aiokafka_and_counts_only_where_it_is_checked() -> None:
    built = bytearray(batch([(b"key", b"value", [], NOW)]))
    built[-3] ^= 1
    messages = []
    for native in (True, False):
        with pytest.raises(CorruptRecordException) as refused:
            list(unpacked(native, bytes(built), 0))
        messages.append(str(refused.value))
    assert messages[0] == messages[1]
    assert read(True, bytes(built), 0, check_crcs=False) == read(False, bytes(built), 0, check_crcs=False)


@pytest.mark.parametrize("compression", [2, 3, 4, 5])
def test_a_codec_without_its_library_is_refused_in_the_words_of_aiokafka(compression: int) -> None:
    built = bytearray(batch([(b"key", b"value", [], NOW)]))
    built[22] |= compression
    refusals = []
    for native in (True, False):
        with pytest.raises(Exception) as refused:  # noqa: PT011 (whichever aiokafka raises)
            list(unpacked(native, sealed(bytearray(built)), 0))
        refusals.append((type(refused.value), str(refused.value)))
    assert refusals[0] == refusals[1]


def test_a_header_whose_name_is_no_text_stops_no_reader() -> None:
    built = bytearray(batch([(b"key", b"value", [("name", b"1")], NOW)]))
    at = built.index(b"name")
    built[at] = 0xFF
    (record,) = unpacked(True, sealed(built), 0)
    assert record.headers == (("\ufffdame", b"1"),)


def test_aiokafka_reads_what_the_core_does_not_cover() -> None:
    data = batch([(b"key", b"value", [], NOW)])
    legacy = LegacyRecordBatchBuilder(magic=1, compression_type=0, batch_size=1 << 20)
    legacy.append(0, timestamp=NOW, key=b"key", value=b"value")
    old = bytes(legacy.build())
    for fetch, level, decode in (
        (old, READ_UNCOMMITTED, None), (data, READ_COMMITTED, None), (data, READ_UNCOMMITTED, bytes),
    ):  # fmt: skip
        found = partition_records(TP, FetchedBytes(installed_core(), fetch), [], 0, decode, None, True, level)
        assert type(found) is PartitionRecords
        assert [(record.key, record.value) for record in found] == [(b"key", b"value")]


def fetched(native: bool, data: bytes, offset: int) -> tuple[FetchResult, Any]:
    state = SimpleNamespace(paused=False, position=offset)
    state.consumed_to = lambda position: setattr(state, "position", position)
    assignment = SimpleNamespace(active=True, state_value=lambda _: state)
    result = FetchResult(
        TP, assignment=assignment, partition_records=unpacked(native, data, offset), backoff=0
    )
    return result, state


@law_of_both
@given(fetch=fetches(), most=st.one_of(st.none(), st.integers(1, 4)))
def test_bounded_reads_return_the_same_records_poll_by_poll(fetch, most):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(FetchResult, "getall", FetchResult.getall)
        patched.setattr("streams.runtime.bounded_reads.READ_BYTES", 50)
        bound_reads()
        polls = []
        for native in (True, False):
            result, state = fetched(native, *fetch)
            found = []
            while result.has_more():
                found.append(([fields(record) for record in result.getall(most)], state.position))
            polls.append(found)
    assert polls[0] == polls[1]


def test_one_consumer_reads_by_the_core_that_is_chosen_last() -> None:
    theirs = fetcher.MemoryRecords, fetcher.PartitionRecords
    try:
        read_batches_by(installed_core())
        assert fetcher.PartitionRecords is partition_records
        assert type(fetcher.MemoryRecords(b"")) is FetchedBytes
    finally:
        read_batches_by(None)
    assert (fetcher.MemoryRecords, fetcher.PartitionRecords) == theirs


def test_sizes_count_values_of_native_records_and_of_others() -> None:
    native = list(unpacked(True, batch([(b"k", b"value", [], NOW), (b"k", None, [], NOW)]), 0))
    for chosen in (True, False):
        with core(native=chosen):
            assert value_bytes(native) == value_bytes([*native, SimpleNamespace(value=b"")]) == 5


def test_key_and_value_are_made_once() -> None:
    (record,) = unpacked(True, batch([(b"key", b"value", [], NOW)]), 0)
    assert record.key is record.key
    assert record.value is record.value


outgoing = st.lists(st.tuples(texts, texts, st.one_of(st.none(), headers)), max_size=8)


class Producer:
    """What `aiokafka_batches` asks of a producer."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(self.limit, 0)


def built(batches: Any, state: tuple[int, int, int] | None) -> list[Any]:
    """The batches that a sender would send, in the order of its calls; their times are left out."""
    found = []
    for one, held in batches:
        size = one.size()
        if state is not None:
            one._set_producer_state(*state)  # aiokafka's
        data = bytes(one._build())  # aiokafka's
        assert one._build() == data  # aiokafka's
        assert struct.unpack_from(">I", data, 17)[0] == calc_crc32c(data[21:])
        read_back = [fields(record)[5:] for record in unpacked(False, data, 0)]
        found.append((size, one.record_count(), held, data[:17], data[21:27], data[43:61], read_back))
    return found


@law_of_both
@given(
    lists=st.lists(outgoing, max_size=4),
    limit=st.integers(61, 300),
    state=st.one_of(
        st.none(), st.tuples(st.integers(0, 2**60), st.integers(0, 2**15 - 1), st.integers(0, 2**31 - 1))
    ),
)
def test_built_batches_are_those_of_aiokafka_and_are_read_back_by_it(lists, limit, state):
    lists = [list[OutgoingRecord](one) for one in lists]
    ours = built(native_batches(installed_core(), lists, limit, NOW), state)
    with pytest.MonkeyPatch.context() as patched:
        # aiokafka asks the clock for each record: a delta of two bytes would make its batches longer
        patched.setattr(BatchBuilder, "append", at_one_time(BatchBuilder.append))
        theirs = built(aiokafka_batches(Producer(limit), lists), state)
    assert ours == theirs


def at_one_time(append: Any) -> Any:
    return lambda batch, **given: append(batch, **given | {"timestamp": NOW})


def test_a_sealed_batch_counts_the_producer_state_that_was_set_before_in_its_checksum() -> None:
    one = NativeBatch(installed_core(), 1000)
    assert one.extend([(b"key", None, None)], 0, NOW) == 1
    one._set_producer_state(5, 2, 77)  # aiokafka's
    data = one._build()  # aiokafka's
    assert struct.unpack_from(">qhi", data, 43) == (5, 2, 77)
    assert [fields(record)[3:7] for record in unpacked(False, data, 0)] == [(NOW, 0, b"key", None)]


@pytest.mark.parametrize("record", [("key", b"", None), (b"key", 1, None), (b"key", b"", [(b"name", b"")])])
def test_what_is_not_bytes_is_refused_and_leaves_the_batch_as_it_was(record: Any) -> None:
    one = NativeBatch(installed_core(), 1000)
    one.extend([(b"key", b"value", None)], 0, NOW)
    with pytest.raises(TypeError):
        one.extend([record], 0, NOW)
    assert one.record_count() == 1
    assert len(list(unpacked(False, one._build(), 0))) == 1  # aiokafka's


def test_nothing_else_is_appended_to_a_native_batch() -> None:
    one = NativeBatch(installed_core(), 1000)
    one.close()
    assert one.closed()
    assert one.append(timestamp=None, key=b"", value=b"", headers=[]) is None
