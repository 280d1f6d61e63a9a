"""Reads bounded by bytes: a poll returns records of a partition until it has so many bytes, not only so many records.

aiokafka counts records. A thousand records of a megabyte, which compress to nothing, would come as one list.
"""

from typing import Any, Final

from aiokafka.consumer.fetcher import FetchResult

#: Bytes of values after which no more records of a partition are returned: as much as fills a partition queue.
READ_BYTES: Final = 1024 * 1024


def bound_reads() -> None:
    """Bound the reads of all aiokafka consumers of this process. aiokafka has no setting for it."""
    FetchResult.getall = _getall


def _getall(result: Any, max_records: int | None = None) -> list[Any]:
    """`FetchResult.getall` with READ_BYTES as a further bound. What is not returned stays for the next poll."""
    if not result.check_assignment(result._topic_partition) or not result.has_more():
        return []
    found: list[Any] = []
    size = 0
    for record in result._partition_records:
        found.append(record)
        size += len(record.value or b"")
        if size >= READ_BYTES or (max_records is not None and len(found) >= max_records):
            result._update_position()
            return found
    result._update_position()
    result._partition_records = None
    return found
