"""Numbers as a person reads them: grouped digits, per cent, durations."""

from datetime import datetime, time
from math import isfinite
from typing import Any, Final

from deploy.reports.parameters import SECONDS

NONE: Final = "-"  #: for a number that there is not

_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"))


def figure(column: str, value: Any) -> Any:
    """A cell for a table: durations for columns in seconds, per cent for shares, grouped digits, commas in lists."""
    if isinstance(value, (list, tuple)):
        return ", ".join(str(figure(column, part)) for part in value)
    if isinstance(value, datetime):
        return moment(value)
    if value is None or isinstance(value, (bool, str)):
        return value
    if column.endswith(SECONDS):
        return duration(value)
    if column.endswith(("share", "_rate")):
        return per_cent(value)
    return grouped(value) if isinstance(value, (int, float)) else value


def title(column: str) -> str:
    """A column's name over a table: median_seconds is `median`, reached_share `reached share`."""
    return column.removesuffix(SECONDS).replace("_", " ")


def moment(at: datetime) -> str:
    """A time without what is zero: 2026-01-31, 2026-01-31 12:00, 2026-01-31 12:00:00.250."""
    if at.time() == time():
        return f"{at:%Y-%m-%d}"
    if at.second or at.microsecond:
        return f"{at:%Y-%m-%d %H:%M:%S.%f}"[:-3].removesuffix(".000")
    return f"{at:%Y-%m-%d %H:%M}"


def grouped(value: float) -> str:
    """12,345, 1,234 for 1234.5, 12.3, 1.23: integers in full, other numbers with three digits or more."""
    if not isfinite(value):
        return NONE
    if float(value).is_integer():
        return f"{int(value):,}"
    return f"{value:,.{max(0, 3 - len(str(abs(int(value)))))}f}"


def per_cent(value: float | None) -> str:
    """0.4567 is 45.7%."""
    return NONE if value is None or not isfinite(value) else f"{value * 100:.1f}%"


def duration(seconds: float | None) -> str:
    """Seconds in the largest unit that they fill: 1.5 d, 2.0 h, 12.0 min, 45 s, 0.250 s."""
    if seconds is None or not isfinite(seconds):
        return NONE
    for size, unit in _UNITS:
        if abs(seconds) >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.0f} s" if float(seconds).is_integer() else f"{seconds:.3f} s"
