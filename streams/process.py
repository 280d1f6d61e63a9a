"""The worker as a process: one sentence when it cannot go on, an orderly end on SIGTERM, and never a hang.

Crash-only: whatever was not acknowledged is read again, so ending at any moment loses nothing. That is what
allows a deadline on the end, and a sentence in place of Faust's tracebacks for what is not our bug.
"""

import asyncio
import logging
import os
import sys
import threading
from importlib.metadata import version
from typing import Any, Final

from aiokafka.errors import KafkaError
from faust import Worker
from mode.utils.futures import maybe_cancel

from schemas.errors import TouchlineError, UnavailableError

#: From SIGTERM, or from a crash, to the end. An end in order takes about two seconds; without a broker there is none.
STOP_SECONDS: Final = 9.0

#: What a broker or network does to us: a sentence says it all. Any other exception is a bug, shown with its traceback.
OPERATIONAL: Final = (TouchlineError, KafkaError, OSError, TimeoutError)

log: Final = logging.getLogger("touchline.worker")
#: Set once the worker is on its way out: what breaks then is a consequence.
_ending: Final = threading.Event()


class WorkerProcess(Worker):  # type: ignore[misc]  # faust has no types for it
    """Faust's worker without its terminal effects; `execute` returns after SIGTERM or SIGINT, else it raises."""

    def __init__(self, app: Any) -> None:
        super().__init__(app, quiet=True, redirect_stdouts=False, override_logging=False)
        self.spinner = None
        self._app = app
        for handler in logging.getLogger().handlers:
            handler.addFilter(_without_known_traceback)
        self._deadline: threading.Timer | None = None

    def execute(self) -> None:
        """Run. Raises TouchlineError, UnavailableError if the broker failed us; of a bug the log has the traceback."""
        log.info(
            "touchline %s: a worker of group %s starts on Kafka at %s",
            version("touchline"), self._app.conf.id, self._app.settings.brokers,
        )  # fmt: skip
        try:
            self._run()
            log.info("stopped: what was processed is committed")
        except TouchlineError:
            raise
        except OPERATIONAL as error:
            raise UnavailableError(
                f"the worker stopped on {type(error).__name__}: {error}; start it again, nothing is lost"
            ) from error
        except Exception as error:
            raise TouchlineError(
                f"the worker crashed on what looks like a bug, {type(error).__name__}: {error};"
                " its traceback is above; what was not acknowledged is read again"
            ) from error
        finally:
            if self._deadline is not None:
                self._deadline.cancel()

    def _run(self) -> None:
        starting = self._starting_fut = asyncio.ensure_future(self.start(), loop=self.loop)
        failure: BaseException | None = None
        try:
            self.loop.run_until_complete(starting)
        except asyncio.CancelledError:
            pass
        except Exception as error:
            failure = error  # raised below: the orderly end comes first
            if not isinstance(error, OPERATIONAL):
                log.exception("the worker cannot start")
        maybe_cancel(starting)
        self._end_soon()
        try:
            self.stop_and_shutdown()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 (what made it start to end counts more)
            failure = failure or self._app.first_reason or error
        if failure is not None:
            raise failure

    def _schedule_shutdown(self, signal: Any) -> None:
        self._end_soon()
        super()._schedule_shutdown(signal)

    def _end_soon(self) -> None:
        """Set the deadline: from now on a broker that does not answer cannot keep us."""
        if self._deadline is None:
            _ending.set()
            threading.excepthook = lambda _: None  # the consumer's thread: it is cancelled on purpose
            self._deadline = threading.Timer(STOP_SECONDS, self._end_now)
            self._deadline.daemon = True
            self._deadline.start()

    def _end_now(self) -> None:
        reason = f" after {self.crash_reason!r}" if self.crash_reason else ""
        sys.stderr.write(
            f"touchline: the worker did not end in order within {STOP_SECONDS:.0f} s{reason}: Kafka does not answer;"
            " what was not acknowledged is read again\n"
        )
        sys.stderr.flush()
        os._exit(1)


def _without_known_traceback(record: logging.LogRecord) -> bool:
    """Leave out what Faust logs of a failure that is no bug: the sentence at the end says what happened."""
    if record.name.startswith("touchline"):
        return True
    if _ending.is_set():
        return record.levelno < logging.ERROR
    return not (record.exc_info and isinstance(record.exc_info[1], OPERATIONAL))
