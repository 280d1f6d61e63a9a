"""Points in time as a person writes them: an ISO time, or how long ago."""

import re
from datetime import UTC, datetime
from typing import Final

from schemas.errors import SettingsError
from schemas.touchpoint.rules import EARLIEST_MS, LATEST_MS

_AGO: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d)")
_MILLISECONDS: Final = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def moment(text: str, option: str, now: float) -> int:
    """UTC ms of an ISO time (without a zone: UTC) or of `90s`, `30m`, `2h`, `7d` before `now` (seconds).

    Raises SettingsError naming the option, also for a time that no touchpoint can have.
    """
    if ago := _AGO.fullmatch(text):
        at = now * 1000 - float(ago[1]) * _MILLISECONDS[ago[2]]
    else:
        try:
            at = iso_ms(text)
        except (ValueError, OverflowError) as error:
            raise SettingsError(
                f"{option} is {text!r}: write an ISO time like 2026-01-31T12:00:00Z, or how long ago, like 2h or 7d"
            ) from error
    if not EARLIEST_MS <= at <= LATEST_MS:
        raise SettingsError(f"{option} is {text!r}: write a time between the years 1900 and 2262")
    return int(at)


def iso_ms(text: str) -> int:
    """UTC ms of an ISO time (without a zone: UTC). Raises ValueError."""
    found = datetime.fromisoformat(text)
    return int(found.replace(tzinfo=found.tzinfo or UTC).timestamp() * 1000)
