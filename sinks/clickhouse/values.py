"""The row type, and times clamped to the range of DateTime64(3)."""

from typing import Any, Final, TypeAlias

#: Column → value.
Row: TypeAlias = dict[str, Any]

#: The range of DateTime64(3): 1900-01-01 to 2299-12-31, in UTC milliseconds.
EARLIEST: Final = -2_208_988_800_000
LATEST: Final = 10_413_791_999_999


def moment(time: int) -> int:
    """A time in UTC milliseconds, clamped to the range of DateTime64(3)."""
    return EARLIEST if time < EARLIEST else LATEST if time > LATEST else time
