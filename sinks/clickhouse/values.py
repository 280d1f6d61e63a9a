"""Values as ClickHouse holds them: a row, and a time within what its type can hold."""

from typing import Any, Final, TypeAlias

#: Column → value.
Row: TypeAlias = dict[str, Any]

#: What DateTime64(3) holds: 1900-01-01 to 2299-12-31, UTC milliseconds. Times beyond become the nearest.
EARLIEST: Final = -2_208_988_800_000
LATEST: Final = 10_413_791_999_999


def moment(time: int) -> int:
    """UTC milliseconds within what DateTime64(3) holds."""
    return EARLIEST if time < EARLIEST else LATEST if time > LATEST else time
