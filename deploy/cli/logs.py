"""How long-running commands log: to standard error, a line an event, and no flood when a broker is down."""

import logging
import time
from collections.abc import Callable
from typing import Final

import typer

from deploy.cli.log_lines import FORMATS


def configure(loglevel: str, log_format: str = "text") -> None:
    """Log from `loglevel` (a name, as in --loglevel) on, as `text` or `json`.

    Raises BadParameter if there is no such level or format.
    """
    if log_format not in FORMATS:
        raise typer.BadParameter(f"{log_format}: it must be text or json", param_hint="--log-format")
    level = logging.getLevelNamesMapping().get(loglevel.upper())
    if level is None:
        raise typer.BadParameter(
            f"{loglevel}: it must be DEBUG, INFO, WARNING or ERROR", param_hint="--loglevel"
        )
    logging.basicConfig(level=max(level, logging.WARNING))
    for handler in logging.getLogger().handlers:
        handler.setFormatter(FORMATS[log_format]())
    logging.getLogger("touchline").setLevel(level)
    # records of libraries at INFO help only their developers
    libraries = level if level < logging.INFO else max(level, logging.WARNING)
    for name in ("streams", "faust", "mode", "aiokafka"):
        logging.getLogger(name).setLevel(libraries)
    if level >= logging.INFO:
        # a timer that fires late under load is expected, and no operator could mend it
        logging.getLogger("mode.timers").setLevel(logging.ERROR)
        for handler in logging.getLogger().handlers:
            handler.addFilter(RateLimit("aiokafka"))


class RateLimit(logging.Filter):
    """Rate limit of a library's log records: passes them after they have gone on for AFTER_SECONDS, then one a minute.

    While a broker is down aiokafka logs some sixty lines a second.
    """

    AFTER_SECONDS: Final = 10.0
    PAUSE_SECONDS: Final = 60.0

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(name)
        self._clock = clock
        self._first = self._last = self._shown = -self.PAUSE_SECONDS

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to show a record."""
        if not super().filter(record):
            return True
        now = self._clock()
        if now - self._last >= self.PAUSE_SECONDS:
            self._first = now
        self._last = now
        if now - self._first < self.AFTER_SECONDS or now - self._shown < self.PAUSE_SECONDS:
            return False
        self._shown = now
        return True
