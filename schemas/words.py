"""Times, spans and money as people read them. Times are UTC milliseconds."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from schemas.currencies import minor_units

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE: Final = 60_000
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def span(milliseconds: int) -> str:
    """A duration: `40 s`, `12 min`, `5 h`, `3 d`; short ones of a unit with a second unit."""
    length = max(milliseconds, 0)
    if length < _MINUTE:
        return f"{length // 1000} s"
    if length < _HOUR:
        return f"{length // _MINUTE} min"
    if length < _DAY:
        hours, minutes = divmod(length // _MINUTE, 60)
        return f"{hours} h {minutes} min" if minutes and hours < 6 else f"{hours} h"
    days, hours = divmod(length // _HOUR, 24)
    return f"{days} d {hours} h" if hours and days < 4 else f"{days} d"


def day(at: int) -> str:
    """The date without its year: `5 Jan`."""
    moment = _moment(at)
    return f"{moment.day} {_MONTHS[moment.month - 1]}"


def clock(at: int) -> str:
    """The time of day, UTC: `09:12`."""
    return f"{_moment(at):%H:%M}"


def when(at: int, now: int) -> str:
    """Date and time, `5 Jan 09:12`; the year is added unless it is the present one."""
    year = _moment(at).year
    return f"{day(at)} {clock(at)}" if year == _moment(now).year else f"{day(at)} {year} {clock(at)}"


def money(minor: int, currency: str) -> str:
    """An amount in minor units as `129.90 EUR`, exactly.

    A currency without a minor unit in ISO 4217 (gold, or one that was withdrawn) says that minor units are meant.
    """
    digits = minor_units(currency)
    if digits is None:
        return f"{minor:,} minor units of {currency}"
    whole, rest = divmod(abs(minor), 10**digits)
    fraction = f".{rest:0{digits}}" if digits else ""
    return f"{'-' if minor < 0 else ''}{whole:,}{fraction} {currency}"


def several(number: int, one: str, many: str = "") -> str:
    """A number and its noun: `1 order`, `2 orders`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def listed(items: Iterable[str]) -> str:
    """`web, chat and phone`."""
    *first, last = list(items)
    return f"{', '.join(first)} and {last}" if first else last


def _moment(at: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at)
