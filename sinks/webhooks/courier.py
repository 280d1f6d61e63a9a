"""Brings messages to one endpoint: takes what is due, asks the gates, sends, and notes how it ended."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from random import Random
from typing import Final, Protocol

from schemas.errors import UnavailableError
from sinks.webhooks import metrics
from sinks.webhooks.changelog import Partition, RevokedError
from sinks.webhooks.endpoints import Endpoint
from sinks.webhooks.gates import View, Wait, Withhold, decide, is_fresh
from sinks.webhooks.message import Attempt, Message
from sinks.webhooks.pace import LONGEST_PAUSE_MS, Breaker, delay
from sinks.webhooks.rendering import RenderingError, Template, context_of
from sinks.webhooks.verdicts import Reason, Verdict

#: The longest sleep: clocks may be set, and partitions come and go.
_LOOK_SECONDS: Final = 1.0

log: Final = logging.getLogger("touchline.webhooks")


class Sender(Protocol):
    """Sends a message to one endpoint."""

    async def send(self, webhook_id: str, body: bytes) -> Verdict:
        """One attempt."""

    async def close(self) -> None:
        """Close its connections."""


class People(Protocol):
    """What the service knows of people now."""

    def view(self, tenant: str, profile_id: str) -> View:
        """A person's present state, and how new that is."""

    def fresh_at(self) -> int:
        """UTC ms: everything that was published until then is known."""


def wall_ms() -> int:
    """UTC milliseconds."""
    return time.time_ns() // 1_000_000


class Courier:
    """One endpoint of this instance. `run` runs until it is cancelled; attempts under way belong to their partition."""

    def __init__(
        self,
        endpoint: Endpoint,
        sender: Sender,
        template: Template,
        partitions: Mapping[int, Partition],
        people: People,
        clock: Callable[[], int] = wall_ms,
        random: Random | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.breaker = Breaker()
        self._sender = sender
        self._template = template
        self._partitions = partitions
        self._people = people
        self._clock = clock
        self._random = random or Random()  # noqa: S311 (jitter)
        self._free = asyncio.Semaphore(endpoint.concurrency)
        self._news = asyncio.Event()
        self._flushes: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Something may be due."""
        self._news.set()

    def restart(self) -> None:
        """Try an endpoint that said 410 again: an operator asks for it."""
        self.breaker.stopped = False
        self.wake()

    async def run(self) -> None:
        """Deliver, for ever."""
        while True:
            await self._free.acquire()
            partition, message = await self._next()
            attempt = partition.outbox.begin(message, self._clock())
            self.breaker.begin()
            task = asyncio.create_task(self._deliver(partition, message, attempt))
            partition.attempts.add(task)
            task.add_done_callback(partition.attempts.discard)
            task.add_done_callback(lambda _: self._free.release())

    async def close(self) -> None:
        """Close the sender."""
        await self._sender.close()

    async def _next(self) -> tuple[Partition, Message]:
        """The next message that may be told now."""
        while True:
            self._news.clear()
            now = self._clock()
            until = self._blocked(now)
            if until is None:
                for partition in self._in_turn():
                    message = self._claim(partition, now)
                    if message is not None:
                        return partition, message
                dues = [one.outbox.due_at(self.endpoint.name) for one in self._partitions.values()]
                until = min((due for due in dues if due is not None), default=now + 1000)
            self._show()
            pause = min(max((until - now) / 1000, 0.001), _LOOK_SECONDS)
            try:
                await asyncio.wait_for(self._news.wait(), pause)
            except TimeoutError:
                continue

    def _blocked(self, now: int) -> int | None:
        """Until when no message may be told, whichever it is."""
        if self.breaker.stopped:
            return None
        if self.endpoint.needs_state and not is_fresh(self._people.fresh_at(), now):
            return now + 1000
        return self.breaker.wait(now)

    def _in_turn(self) -> list[Partition]:
        """The partitions, beginning with any of them, so that none waits behind another for ever."""
        found = [one for one in self._partitions.values() if not one.revoked]
        start = self._random.randrange(len(found)) if found else 0
        return found[start:] + found[:start]

    def _claim(self, partition: Partition, now: int) -> Message | None:
        """A message of a partition that may be told now. What may not be told is settled or postponed on the way."""
        outbox = partition.outbox
        while (message := outbox.claim(self.endpoint.name, now)) is not None:
            if self.breaker.stopped:
                outbox.kill(message, Reason.GONE, now)
            else:
                verdict = self._judge(partition, message, now)
                if verdict is None:
                    return message
                if isinstance(verdict, Wait):
                    outbox.postpone(message, verdict.until)
                else:
                    outbox.withhold(message, verdict.reason, now)
            outbox.release(message.key.person)
            if not message.pending:
                self._flush(partition)
        return None

    def _judge(self, partition: Partition, message: Message, now: int) -> Wait | Withhold | None:
        person = message.key.person
        view = self._people.view(person.tenant, person.profile_id)
        cap = self.endpoint.cap
        reached = 0 if cap is None else partition.outbox.reached(message, now - cap.per_ms)
        return decide(self.endpoint, message, view, reached, now)

    async def _deliver(self, partition: Partition, message: Message, attempt: Attempt) -> None:
        """One attempt to its end. If it is cancelled, the partition's next owner tries again."""
        try:
            verdict = await self._attempt(message, attempt)
        except asyncio.CancelledError:
            self.breaker.abandon()
            raise
        now = self._clock()
        metrics.ATTEMPT_SECONDS.labels(self.endpoint.name).observe(max(now - attempt.began, 0) / 1000)
        if verdict.confirmed:
            metrics.LATENESS_SECONDS.labels(self.endpoint.name).observe(
                max(now - attempt.happened_at, 0) / 1000
            )
        self.breaker.finish(verdict, now, self._random.random())
        if verdict.reason is Reason.GONE:
            log.warning("endpoint %s says 410: nothing is told to it any more", self.endpoint.name)
        pause = delay(self.endpoint.retries, attempt.number, self._random.random())
        if verdict.retry_after_ms is not None:
            pause = max(pause, min(verdict.retry_after_ms, LONGEST_PAUSE_MS))
        partition.outbox.finish(message, attempt, verdict, now=now, next_at=now + pause)
        try:
            await partition.flush()
        except (RevokedError, UnavailableError):
            return
        finally:
            partition.outbox.release(message.key.person)
            self.wake()

    async def _attempt(self, message: Message, attempt: Attempt) -> Verdict:
        person = message.key.person
        try:
            state = self._people.view(person.tenant, person.profile_id).state
            body = self._template.render(context_of(message.key, attempt, message.told, state))
            return await self._sender.send(attempt.webhook_id, body)
        except RenderingError as error:
            return Verdict(Reason.TEMPLATE, None, str(error)[:200], sent=False)
        except Exception as error:  # a bug costs this attempt, not the service
            log.exception("an attempt for endpoint %s failed unexpectedly", self.endpoint.name)
            return Verdict(Reason.UNEXPECTED, None, f"{type(error).__name__}"[:200])

    def _flush(self, partition: Partition) -> None:
        """Write what was settled without an attempt; nobody need wait for it."""
        if not self._flushes:
            task = asyncio.create_task(_flushed(partition))
            self._flushes.add(task)
            task.add_done_callback(self._flushes.discard)

    def _show(self) -> None:
        state = 2 if self.breaker.stopped else int(self.breaker.is_open)
        metrics.CIRCUIT.labels(self.endpoint.name).set(state)


async def _flushed(partition: Partition) -> None:
    try:
        await partition.flush()
    except (RevokedError, UnavailableError):
        return
