"""The bounded way to the broker: what is on it has a limit, and who does not fit is told when to come back."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from aiokafka.errors import KafkaError

from schemas.errors import TouchlineError, UnavailableError
from schemas.http.problems import RETRY_SECONDS, ProblemError
from schemas.kafka_probe import why_unreachable
from schemas.settings import Settings
from schemas.topics import DEAD_LETTERS, TOUCHPOINTS
from streams.collect import metrics
from streams.collect.limits import Limits
from streams.runtime.publisher import Outbox, Publisher

#: Between attempts to connect anew.
RENEWAL_SECONDS: Final = 2.0

log: Final = logging.getLogger("touchline.collector")


class Reservation:
    """Bytes that one request holds of the limit, from the first of its body to the broker's acknowledgement."""

    def __init__(self, intake: "Intake") -> None:
        self._intake = intake
        self._bytes = 0
        self.handed_over = False  #: to the intake, which releases it when the broker has acknowledged

    def __enter__(self) -> "Reservation":
        return self

    def __exit__(self, *_: object) -> None:
        if not self.handed_over:
            self.release()

    def hold(self, size: int) -> None:
        """Hold `size` bytes from now on. Raises ProblemError 503 if that does not fit beside all others'."""
        grown = self._intake.pending_bytes - self._bytes + size
        if size > self._bytes and grown > self._intake.limits.pending_bytes:
            raise busy("the collector holds as much as it may: the broker is slower than what comes in")
        self._intake.set_pending(grown)
        self._bytes = size

    def release(self) -> None:
        """Hold nothing any more."""
        self.hold(0)


class Intake:
    """Publishes outboxes; knows when the broker does not keep up and when it is away."""

    def __init__(
        self, settings: Settings, limits: Limits, connect: Callable[[], Publisher] | None = None
    ) -> None:
        self.limits = limits
        self.pending_bytes = 0
        self._settings = settings
        self._connect = connect or (lambda: Publisher(settings, "touchline-collect"))
        self._publisher: Publisher | None = None
        self._partitions: dict[str, int] = {}
        self._sending: dict[
            asyncio.Task[object], float
        ] = {}  #: with the loop time when it began, oldest first
        self._renewal: asyncio.Task[None] | None = None
        self.touchpoints = settings.topic(TOUCHPOINTS.name)
        self.dead_letters = settings.topic(DEAD_LETTERS.name)

    async def start(self) -> None:
        """Connect. Raises UnavailableError if the broker or its topics cannot be had."""
        publisher = self._connect()
        try:
            await publisher.start()
            self._partitions = await publisher.partitions((self.touchpoints, self.dead_letters))
        except KafkaError as error:
            await publisher.stop()
            if why := await asyncio.to_thread(why_unreachable, self._settings):
                raise UnavailableError(f"Kafka at {self._settings.brokers} cannot be used: {why}") from error
            raise UnavailableError(
                f"the broker at {self._settings.brokers} cannot be used ({type(error).__name__}): "
                "is it running, and were its topics made with `touchline topics`?"
            ) from error
        self._publisher = publisher

    async def stop(self) -> None:
        """Wait a while for what is being sent, then disconnect."""
        if self._sending:
            await asyncio.wait(self._sending, timeout=self.limits.answer_seconds)
        if self._renewal is not None:
            self._renewal.cancel()
        if self._publisher is not None:
            await self._publisher.stop()
            self._publisher = None

    def set_pending(self, size: int) -> None:
        """Note how much is held now (Reservation's)."""
        self.pending_bytes = size
        metrics.PENDING.set(size)

    def outbox(self) -> Outbox:
        """An empty outbox for the collector's topics."""
        return Outbox(self._partitions)

    def require_ready(self) -> None:
        """Raise ProblemError 503 if nothing can be taken now."""
        problem = self.waits_for(asyncio.get_running_loop().time())
        if problem:
            raise busy(f"{problem}: nothing was taken")

    def waits_for(self, now: float) -> str:
        """Why nothing can be taken at a time of the event loop's clock, in a clause; "" if something can."""
        if self._publisher is None:
            return "the broker is away"
        oldest = next(iter(list(self._sending.values())), now)
        if now - oldest <= self.limits.stall_seconds:
            return ""
        return f"the broker has acknowledged nothing for {now - oldest:.0f} seconds"

    async def publish(self, outbox: Outbox, held: Reservation) -> None:
        """Publish, and return when the broker has all of it; `held` is released then, however late.

        Raises ProblemError 503 if the broker fails or does not acknowledge in time; in the latter case it may still
        get the records: who sends them again does no harm.
        """
        if self._publisher is None:
            raise busy("the broker is away: nothing was taken")
        held.handed_over = True
        publisher = self._publisher
        sending: asyncio.Task[object] = asyncio.create_task(publisher.publish(outbox))
        self._sending[sending] = asyncio.get_running_loop().time()
        sending.add_done_callback(lambda task: self._sent(task, publisher, held))
        await asyncio.wait((sending,), timeout=self.limits.answer_seconds)
        if not sending.done():
            raise busy("the broker has not acknowledged in time: send it again, nothing is counted twice")
        error = sending.exception()
        if isinstance(error, KafkaError):
            raise busy(f"the broker refused ({type(error).__name__}): send it again") from error
        if error is not None:
            raise error

    def _sent(self, task: "asyncio.Task[object]", publisher: Publisher, held: Reservation) -> None:
        del self._sending[task]
        held.release()
        failed = not task.cancelled() and isinstance(task.exception(), KafkaError)
        if failed and publisher is self._publisher:  # the first of those that it failed
            log.warning("Kafka at %s failed (%s): connecting anew", self._settings.brokers, task.exception())
            self._publisher = None
            self._renewal = asyncio.create_task(self._reconnect(publisher))

    async def _reconnect(self, failed: Publisher) -> None:
        """Connect anew: after some failures an idempotent producer takes nothing more."""
        await failed.stop()
        while self._publisher is None:
            try:
                await self.start()
            except TouchlineError:
                await asyncio.sleep(RENEWAL_SECONDS)
        log.warning("Kafka at %s takes records again", self._settings.brokers)


def busy(detail: str) -> ProblemError:
    """The refusal of what can be taken later."""
    return ProblemError(503, "busy", detail, RETRY_SECONDS)
