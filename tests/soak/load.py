"""Steady load: simulated people, and now and then one of them asks to be erased."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count
from typing import Any, Final

from deploy.ingest.publisher import message
from deploy.kafka_admin.client import close_producer, producer
from deploy.simulation.episodes import DAY
from deploy.simulation.population import DEFAULT_START_MS, Population, simulate
from schemas.keys import partition_of
from schemas.records import Touchpoint
from schemas.settings import Settings
from schemas.topics import TOUCHPOINTS
from schemas.touchpoint.erasure_names import ERASURE_REQUESTED
from streams.identity.policy.load import load as load_policy
from tests.support.built_in import CATALOGUE
from tests.support.touchpoints import touchpoint

#: Records that the broker has not confirmed: what it may miss while it is down, at a few hundred a second.
MAX_PENDING: Final = 200_000
#: Longer than every outage that the soak makes: a record counts as published once it is confirmed.
DELIVERY_MS: Final = 1_800_000


@dataclass(frozen=True)
class Load:
    """Cohorts of people, one after the other: each comes, is busy for a while, and is not seen again.

    So what a worker holds of the people at work stays as it is. If the same people came for hours, their timelines
    would grow, and the memory of those that are in use with them: that is no leak.
    """

    people: int  #: in a cohort
    events: int  #: of a cohort
    seed: int  #: of the first; the others count on
    erasing_every: int  #: touchpoints between two erasures of somebody who was seen lately

    def touchpoints(self) -> Iterator[Touchpoint]:
        """Without end; the same fields give the same ones, so that the oracle can make them again."""
        lately: deque[Touchpoint] = deque(maxlen=max(self.erasing_every // 2, 1))
        for number, event in enumerate(chain.from_iterable(map(self._cohort, count())), 1):
            lately.append(event)
            yield event
            if number % self.erasing_every == 0:
                yield touchpoint(
                    f"erasure-{number}", type=ERASURE_REQUESTED, tenant=event["tenant"],
                    occurred_at=event["received_at"], received_at=event["received_at"],
                    identifiers=lately[0]["identifiers"],
                )  # fmt: skip

    def _cohort(self, number: int) -> Iterator[Touchpoint]:
        start = DEFAULT_START_MS + number * DAY
        return simulate(Population(self.people, self.events, self.seed + number, start_ms=start))


class Feeder:
    """Publishes a load at a steady rate, in a thread of its own, until it is told to stop."""

    def __init__(self, settings: Settings, events: Iterator[Touchpoint], rate: float) -> None:
        self.sent = 0  #: handed to the producer; all of it is confirmed once `stop` has returned
        self._settings = settings
        self._events = events
        self._rate = rate
        self._stop = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="feeder", daemon=True)

    def start(self) -> None:
        """Begin to publish."""
        self._thread.start()

    def stop(self) -> int:
        """Publish no more, and wait until the broker has confirmed everything. Returns how many that are.

        Raises what ended the thread, if something has.
        """
        self._stop.set()
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self.sent

    @property
    def failed(self) -> bool:
        """Whether the thread ended by an error, which `stop` raises."""
        return self._error is not None

    def _run(self) -> None:
        try:
            self._publish()
        except BaseException as error:  # noqa: BLE001 (`stop` raises it)
            self._error = error

    def _publish(self) -> None:
        settings = self._settings
        policy = load_policy("", settings.pseudonym_secret(), settings.pseudonym_key_id)
        topic = settings.topic(TOUCHPOINTS.name)
        sender = producer(
            settings, "touchline-soak", enable_idempotence=True, linger_ms=20, compression_type="gzip",
            delivery_timeout_ms=DELIVERY_MS, request_timeout_ms=10_000, max_block_ms=DELIVERY_MS,
        )  # fmt: skip
        pending: deque[Any] = deque()
        try:
            started = time.monotonic()
            for number, event in enumerate(self._events):
                ahead = started + number / self._rate - time.monotonic()
                if self._stop.wait(ahead) if ahead > 0 else self._stop.is_set():
                    break
                key, value = message(event, policy, CATALOGUE)
                partition = partition_of(key, settings.partitions)
                pending.append(sender.send(topic, key=key, value=value, partition=partition))
                self.sent += 1
                while pending and (len(pending) > MAX_PENDING or pending[0].is_done):
                    pending.popleft().get(DELIVERY_MS / 1000)
            for future in pending:
                future.get(DELIVERY_MS / 1000)
        finally:
            close_producer(sender, 5)
