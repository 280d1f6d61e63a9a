"""The progress of long work, on standard error."""

import time
from collections.abc import Callable
from typing import Any, Final

from rich.progress import BarColumn, Progress, TextColumn

from deploy.cli.output import remark, remarks
from deploy.ingest.publish_run import Summary
from deploy.ingest.touchpoint_files import TouchpointFiles

#: How often what is shown is computed anew, in lines and in seconds.
EVERY_LINES: Final = 256
EVERY_SECONDS: Final = 0.2
#: Before so many seconds a forecast is a guess.
_SURE_AFTER: Final = 2.0


def now_and_then(seconds: float, described: Callable[..., str]) -> Callable[..., None]:
    """A callback that writes a remark at most once in so many seconds: `described` makes its text of the arguments."""
    shown = time.monotonic()

    def show(*how_far: Any) -> None:
        nonlocal shown
        if time.monotonic() - shown > seconds:
            shown = time.monotonic()
            remark(described(*how_far))

    return show


class Bar:
    """Shows how much of the files of an import is read, the rate, and the time left, if that is a terminal."""

    def __init__(self, files: TouchpointFiles) -> None:
        self._files = files
        self._total = files.bytes_in_all()
        self._first = files.bytes_read()
        self._shown = 0.0
        self._progress = Progress(
            TextColumn("publishing"), BarColumn(), TextColumn("{task.description}"),
            console=remarks, transient=True, disable=not remarks.is_terminal,
        )  # fmt: skip
        self._task = self._progress.add_task("", total=self._total)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, summary: Summary) -> None:
        """Say how it stands, now and then."""
        if (
            summary.lines % EVERY_LINES
            or self._progress.disable
            or time.monotonic() - self._shown < EVERY_SECONDS
        ):
            return
        self._shown = time.monotonic()
        read = self._files.bytes_read()
        self._progress.update(
            self._task,
            completed=read,
            description=described(summary, summary.seconds(), self._first, read, self._total),
        )


def described(summary: Summary, seconds: float, first: int, read: int, total: int | None) -> str:
    """The rate of a run of so many seconds, and the time left: it began at byte `first` and has come to `read`."""
    rate = summary.lines / max(seconds, 0.001)
    text = f"{summary.lines:,} lines, {rate:,.0f} a second, {summary.rejected:,} rejected"
    if not total:
        return f"{text}, {clock(seconds)} so far"
    text = f"{min(read / total, 1):.0%}, {text}"
    if seconds < _SURE_AFTER or read <= first:
        return text
    return f"{text}, {clock(max(total - read, 0) * seconds / (read - first))} left"


def clock(seconds: float) -> str:
    """A duration as 0:07, 12:05 or 3:07:09."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
