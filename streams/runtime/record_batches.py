"""Whole record batches through aiokafka: the native core reads and builds them, aiokafka keeps connections and group.

aiokafka makes four objects for each record that it reads, and appends each record that it sends by several calls. The
native core reads a fetch in one call, and makes key, value and headers of a record when they are asked for. Python's
way, aiokafka's own, is the definition: `tests/unit/streams/native/test_equal_batches.py` compares them.

What the native core does not cover is read by aiokafka's own classes: records of formats 0 and 1, consumers with
deserializers, and read_committed, which no consumer of this project uses (the worker reads uncommitted records, and
skips the marks of transactions). Codecs are aiokafka's, too.
"""

from collections.abc import Iterator
from typing import Any, Final

from aiokafka import codec
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException, UnsupportedCodecError

_AIOKAFKA: Final = fetcher.MemoryRecords, fetcher.PartitionRecords
#: By the number in a batch's attributes: name, whether its library is there, and what decompresses.
_CODECS: Final = {
    1: ("gzip", codec.has_gzip, codec.gzip_decode),
    2: ("snappy", codec.has_snappy, codec.snappy_decode),
    3: ("lz4", codec.has_lz4, codec.lz4_decode),
    4: ("zstd", codec.has_zstd, codec.zstd_decode),
}


def read_batches_by(core: Any) -> None:
    """Let all aiokafka consumers of this process read by the native core; by aiokafka if `core` is None."""
    if core is None:
        fetcher.MemoryRecords, fetcher.PartitionRecords = _AIOKAFKA
    else:
        fetcher.MemoryRecords = lambda data: FetchedBytes(core, data)
        fetcher.PartitionRecords = partition_records


class FetchedBytes:
    """What the broker returned for a partition, in place of aiokafka's MemoryRecords."""

    __slots__ = ("core", "data")

    def __init__(self, core: Any, data: bytes | None) -> None:
        self.core = core
        self.data = data or b""

    def has_next(self) -> bool:
        """Whether the first batch is whole. Damaged bytes count: reading them says what is wrong."""
        return bool(self.core.has_batch(self.data))

    def size_in_bytes(self) -> int:
        """How many bytes the broker returned."""
        return len(self.data)


def partition_records(
    tp: Any, records: FetchedBytes, aborted_transactions: Any, fetch_offset: int, key_deserializer: Any,
    value_deserializer: Any, check_crcs: bool, isolation_level: int,
) -> Any:  # fmt: skip
    """The records of FetchedBytes from an offset on, with the signature of aiokafka's PartitionRecords."""
    core, data = records.core, records.data
    plain = key_deserializer is None and value_deserializer is None
    if plain and isolation_level == fetcher.READ_UNCOMMITTED and core.is_current_format(data):
        return core.FetchedBatches(
            (tp.topic, tp.partition),
            data,
            fetch_offset,
            bool(check_crcs),
            decompressed,
            CorruptRecordException,
        )
    read, unpack = _AIOKAFKA
    return unpack(
        tp, read(data), aborted_transactions, fetch_offset, key_deserializer, value_deserializer, check_crcs,
        isolation_level,
    )  # fmt: skip


def decompressed(number: int, data: bytes) -> bytes:
    """The records of a compressed batch. Raises UnsupportedCodecError, or what the codec's library raises."""
    if number not in _CODECS:
        raise UnsupportedCodecError(f"Unknown compression codec {number:#04x}")
    name, is_installed, decode = _CODECS[number]
    if not is_installed():
        raise UnsupportedCodecError(f"Libraries for {name} compression codec not found")
    return bytes(decode(data))


def native_batches(
    core: Any, lists: list[list[Any]], limit: int, now: int
) -> Iterator[tuple["NativeBatch", list[tuple[int, int]]]]:
    """Batches of at most `limit` bytes with the records of these lists, in order, all with the time `now` (UTC ms).

    Gives with each batch the places of the lists that have records in it, and how many.
    """
    batch, held = NativeBatch(core, limit), list[tuple[int, int]]()
    for place, records in enumerate(lists):
        start = 0
        while start < len(records):
            stop = batch.extend(records, start, now)
            if stop > start:
                held.append((place, stop - start))
            start = stop
            if start < len(records):
                yield batch, held
                batch, held = NativeBatch(core, limit), []
    if held:
        yield batch, held


class NativeBatch:
    """A batch for `AIOKafkaProducer.send_batch`: what it and its sender ask of a BatchBuilder.

    The sender sets the producer's state when it takes the batch, before it asks for the bytes. A repetition sends the
    same bytes: that is how the broker knows it.
    """

    def __init__(self, core: Any, limit: int) -> None:
        self._batch = core.BatchBuilder(limit)
        self._sealed: bytes | None = None

    def extend(self, records: list[Any], start: int, now: int) -> int:
        """Take records from `start` on, while there is room; returns the place of the first that it did not take."""
        return int(self._batch.extend(records, start, now))

    def append(self, **_: Any) -> None:
        """Take nothing: `AIOKafkaProducer.send` asks, and begins a batch of its own then."""

    def close(self) -> None:
        """It is closed for aiokafka."""

    def closed(self) -> bool:
        """Always: aiokafka waits for no further records."""
        return True

    def size(self) -> int:
        """Bytes so far."""
        return int(self._batch.size)

    def record_count(self) -> int:
        """Records so far."""
        return int(self._batch.records)

    def _set_producer_state(self, producer_id: int, producer_epoch: int, base_sequence: int) -> None:
        self._batch.set_producer(producer_id, producer_epoch, base_sequence)

    def _build(self) -> bytes:
        if self._sealed is None:
            self._sealed = self._batch.seal()
        return self._sealed
