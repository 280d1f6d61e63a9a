"""Reads the rows of a Parquet file with pyarrow, which is an optional dependency."""

import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Final

from deploy.ingest.reading.lines import Position, SourceError, changed

#: Rows that are in memory at a time.
BATCH_ROWS: Final = 1024
_CHUNK_BYTES: Final = 1024 * 1024


def read_parquet(
    name: str, after: Position, opened: Callable[[IO[bytes]], object]
) -> Iterator[tuple[int, dict[str, Any], Position]]:
    """Number from 1, value and end of each row behind `after`. A position's checksum is of the whole file.

    Times become ISO 8601 (with Z if they are instants), decimals stay exact, maps become objects. Raises SourceError
    if pyarrow is not installed, if the file is no Parquet file, or is not the one that `after` is in.
    """
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise SourceError(
            f"{name} is a Parquet file, which needs pyarrow: install it with `pip install 'touchline[parquet]'`"
        ) from error
    with _reading(name), Path(name).open("rb") as raw:
        checksum = _checksum(raw)
        if after.line and after.checksum != checksum:
            raise changed(name, after)
        opened(raw)
        number = 0
        for batch in parquet.ParquetFile(raw).iter_batches(batch_size=BATCH_ROWS):
            if number + batch.num_rows <= after.line:
                number += batch.num_rows
                continue
            for row in _to_microseconds(batch).to_pylist(maps_as_pydicts="lossy"):
                number += 1
                if number > after.line:
                    yield number, _plain(row), Position(number, 0, checksum)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Make errors of files and of pyarrow SourceErrors."""
    import pyarrow as pa

    try:
        yield
    except OSError as error:
        if error.strerror is None:  # pyarrow's own
            raise SourceError(f"{name} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
        raise SourceError(f"{name} cannot be read: {error.strerror}") from error
    except (pa.ArrowException, ValueError, OverflowError) as error:
        # names and texts that are no UTF-8, and times that Python has no date for, are not pyarrow's own errors
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise SourceError(f"{name} cannot be read as Parquet: {reason}") from error


def _checksum(raw: IO[bytes]) -> int:
    checksum = 0
    while chunk := raw.read(_CHUNK_BYTES):
        checksum = zlib.crc32(chunk, checksum)
    raw.seek(0)
    return checksum


def _to_microseconds(batch: Any) -> Any:
    """The batch with times of nanoseconds cut to microseconds: Python has no finer ones."""
    import pyarrow as pa

    for index, field in enumerate(batch.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            cut = batch.column(index).cast(pa.timestamp("us", field.type.tz), safe=False)
            batch = batch.set_column(index, field.name, cut)
    return batch


def _plain(value: Any) -> Any:
    """A value as JSON has it, decimals aside."""
    if value is None or isinstance(value, (str, bool, int, Decimal)):
        return value
    if isinstance(value, float):
        # what is not a number is what other writers leave empty
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat() if value.tzinfo is None else value.astimezone(UTC).isoformat()
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)
