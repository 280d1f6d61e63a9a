"""The worker process: a sentence for each operational failure, an orderly stop on SIGTERM, and a deadline on the stop.

Crash-only design: unacknowledged records are read again, so the process may end at any moment without loss. That
permits the deadline, and a sentence in place of Faust's tracebacks for failures that are no bug of Touchline.
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
from streams.runtime.task_dump import task_dump

#: Seconds from SIGTERM or a crash to the forced exit. An orderly stop takes 2 s; without a broker it never ends.
STOP_SECONDS: Final = 9.0

#: Errors of the broker, the network or the settings: one sentence explains them. Any other error is a bug.
OPERATIONAL: Final = (TouchlineError, KafkaError, OSError, TimeoutError)

log: Final = logging.getLogger("touchline.worker")
#: Set once the worker stops: later errors are consequences of the stop.
_stopping: Final = threading.Event()


class WorkerProcess(Worker):  # type: ignore[misc]  # faust has no types for it
    """Faust's worker without its terminal effects. `execute` returns after SIGTERM or SIGINT; otherwise it raises."""

    def __init__(self, app: Any) -> None:
        super().__init__(app, quiet=True, redirect_stdouts=False, override_logging=False)
        self.spinner = None
        self._app = app
        for handler in logging.getLogger().handlers:
            handler.addFilter(_is_worth_logging)
        self._deadline: threading.Timer | None = None

    def execute(self) -> None:
        """Run until SIGTERM or SIGINT.

        Raises UnavailableError if Kafka or the network failed, and TouchlineError for any other failure. The log
        contains the traceback of a bug.
        """
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
                f"the worker crashed on a probable bug, {type(error).__name__}: {error};"
                " the log has its traceback; unacknowledged records are read again"
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
            failure = error  # raised after the orderly stop
            if not isinstance(error, OPERATIONAL):
                log.exception("the worker cannot start")
        maybe_cancel(starting)
        self._start_stop_deadline()
        try:
            self.stop_and_shutdown()
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 (the error that caused the stop counts more)
            failure = failure or self._app.first_crash_reason or error
        if failure is not None:
            raise failure

    def _on_sigusr1(self) -> None:
        """Write what every task waits for to standard error: for a worker that stands still."""
        sys.stderr.write(f"tasks of the worker\n{task_dump(self.loop)}\n")
        sys.stderr.flush()

    def _schedule_shutdown(self, signal: Any) -> None:
        self._start_stop_deadline()
        super()._schedule_shutdown(signal)

    def _start_stop_deadline(self) -> None:
        """Start the timer of the forced exit: a broker that does not answer cannot delay the stop beyond it."""
        if self._deadline is None:
            _stopping.set()
            threading.excepthook = lambda _: None  # the consumer's thread is cancelled on purpose
            self._deadline = threading.Timer(STOP_SECONDS, self._abort)
            self._deadline.daemon = True
            self._deadline.start()

    def _abort(self) -> None:
        reason = f" after {self.crash_reason!r}" if self.crash_reason else ""
        sys.stderr.write(
            f"touchline: the worker did not stop in order within {STOP_SECONDS:.0f} s{reason}: Kafka does not answer;"
            " unacknowledged records are read again\n"
        )
        sys.stderr.flush()
        os._exit(1)


def _is_worth_logging(record: logging.LogRecord) -> bool:
    """A log filter that drops Faust's tracebacks of operational failures: `execute` explains them in one sentence."""
    if record.name.startswith("touchline"):
        return True
    if _stopping.is_set():
        return record.levelno < logging.ERROR
    return not (record.exc_info and isinstance(record.exc_info[1], OPERATIONAL))
