"""What the HTTP server's library logs, without what clients sent.

aiohttp logs bytes that are no HTTP as an error with a traceback that quotes them. They may hold a key or an address of
a person, and anybody who reaches the port can write them.
"""

import logging
from typing import Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

LOGGER: Final = logging.getLogger("touchline.http")


class _WithoutContent(logging.Filter):
    """Names what was wrong and quotes nothing of it."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | web.RequestPayloadError):
            record.levelno, record.levelname = logging.INFO, "INFO"
            record.msg, record.args = "refused what is no HTTP request: %s", (type(error).__name__,)
            record.exc_info = record.exc_text = None
            return LOGGER.isEnabledFor(logging.INFO)
        return True


def server_logger() -> logging.Logger:
    """The logger for `web.AppRunner(logger=…)`."""
    if not LOGGER.filters:
        LOGGER.addFilter(_WithoutContent())
    return LOGGER
