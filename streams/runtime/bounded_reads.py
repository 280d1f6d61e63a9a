"""Reads bounded by bytes: a poll returns records of a partition until it has so many bytes, not only so many records.

aiokafka counts records. A thousand records of a megabyte, which compress to nothing, would come as one list.
"""

from typing import Any, Final

from aiokafka.consumer.fetcher import FetchResult

from streams.runtime.native_core import chosen_core

#: Bytes of values after which no more records of a partition are returned: as much as fills a partition queue.
READ_BYTES: Final = 1024 * 1024
_MANY: Final = 1 << 62


def bound_reads() -> None:
    """Bound the reads of all aiokafka consumers of this process. aiokafka has no setting for it."""
    FetchResult.getall = _getall


def value_bytes(records: list[Any]) -> int:
    """The bytes of the values of records."""
    core = chosen_core()
    size = None if core is None else core.value_bytes(records)
    return sum(len(record.value or b"") for record in records) if size is None else int(size)


def _getall(result: Any, max_records: int | None = None) -> list[Any]:
    """`FetchResult.getall` with READ_BYTES as a further bound. What is not returned stays for the next poll."""
    if not result.check_assignment(result._topic_partition) or not result.has_more():
        return []
    records = result._partition_records
    take = getattr(records, "take", None)  # the native core's
    found, has_ended = take(max_records or _MANY, READ_BYTES) if take else _take(records, max_records)
    result._update_position()
    if has_ended:
        result._partition_records = None
    return found


def _take(records: Any, max_records: int | None) -> tuple[list[Any], bool]:
    """The next records within the bounds, and whether they end there."""
    found: list[Any] = []
    size = 0
    for record in records:
        found.append(record)
        size += len(record.value or b"")
        if size >= READ_BYTES or (max_records is not None and len(found) >= max_records):
            return found, False
    return found, True
