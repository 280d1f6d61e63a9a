"""A bystander in another tenant: publishes single touchpoints and log-ins, and times when each shows in a state."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from schemas.encoding.record_types import JOURNEY_STATE, TOUCHPOINT
from schemas.keys import identifier_key, partition_of, profile_key, tenant_key
from schemas.records import Identifier, Touchpoint
from schemas.settings import Settings
from schemas.topics import JOURNEY_STATES, TOUCHPOINTS
from streams.identity.resolution.profile_id import own_profile
from tests.attacks.floods import ATTACKER, now
from tests.support.touchpoints import touchpoint

PERIOD: Final = 0.5  #: seconds between two visits


def neighbour(partitions: int) -> str:
    """The name of a tenant whose links are on the partition of the attacker's."""
    taken = partition_of(tenant_key(ATTACKER), partitions)
    names = (f"bystander-{number}" for number in range(1000))
    return next(name for name in names if partition_of(tenant_key(name), partitions) == taken)


@dataclass
class Waits:
    """Seconds from publishing to the state that shows it."""

    seconds: list[float] = field(default_factory=list)
    unanswered: int = 0

    def quantile(self, share: float) -> float | None:
        """The wait that this share of all visits does not exceed; None if too many were never answered."""
        place = min(
            int(share * (len(self.seconds) + self.unanswered)), len(self.seconds) + self.unanswered - 1
        )
        return sorted(self.seconds)[place] if 0 <= place < len(self.seconds) else None


@dataclass
class _Awaited:
    since: float
    touchpoints: int  #: that the state counts once it shows what was published
    kind: str


class Bystander:
    """Visits every PERIOD until it is stopped: a cookie's first touchpoint, then its log-in, which is a merge."""

    def __init__(self, settings: Settings) -> None:
        self.waits = {"state": Waits(), "merge": Waits()}
        self._settings = settings
        self._tenant = neighbour(settings.partitions)
        self._producer = KafkaProducer(bootstrap_servers=settings.brokers, acks="all", linger_ms=0)
        self._consumer = KafkaConsumer(
            bootstrap_servers=settings.brokers, enable_auto_commit=False, fetch_max_wait_ms=50
        )
        topic = settings.topic(JOURNEY_STATES.name)
        parts = [TopicPartition(topic, number) for number in range(settings.partitions)]
        self._consumer.assign(parts)
        self._consumer.seek_to_end()
        for part in parts:
            self._consumer.position(part)
        self._awaited: dict[bytes, _Awaited] = {}
        self._visits = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._visit)]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def wait_for_merges(self, number: int, patience: float) -> None:
        """Wait until so many merges have shown, at most so many seconds."""
        until = time.monotonic() + patience
        while len(self.waits["merge"].seconds) < number and time.monotonic() < until:
            time.sleep(0.1)

    def forget(self) -> None:
        """Begin to count anew."""
        self.waits = {"state": Waits(), "merge": Waits()}

    def stop(self, patience: float) -> None:
        """End the visits, and wait so many seconds for the states of the last ones."""
        self._stop.set()
        self._threads[1].join()
        until = time.monotonic() + patience
        while self._awaited and time.monotonic() < until:
            time.sleep(0.1)
        for one in self._awaited.values():
            self.waits[one.kind].unanswered += 1
        self._awaited.clear()
        self._threads[0].join()
        self._consumer.close()
        self._producer.close()

    def _visit(self) -> None:
        while not self._stop.wait(PERIOD):
            self._visits += 1
            name = f"v{self._visits}"
            self._publish(name, [("cookie", name)], _Awaited(time.monotonic(), 1, "state"))

    def _publish(self, name: str, ids: list[tuple[str, str]], awaited: _Awaited) -> None:
        key = profile_key(self._tenant, own_profile(self._tenant, ("cookie", name)))
        self._awaited[key] = awaited
        self._send(touchpoint(
            f"{name}-{awaited.kind}", occurred_at=now(), received_at=now(), ids=ids, tenant=self._tenant
        ))  # fmt: skip

    def _send(self, event: Touchpoint) -> None:
        # of the two types that are used here the later one is the stronger
        owner: Identifier = event["identifiers"][-1]
        key = identifier_key(self._tenant, owner)
        self._producer.send(
            self._settings.topic(TOUCHPOINTS.name),
            key=key,
            value=TOUCHPOINT.encode(event),
            partition=partition_of(key, self._settings.partitions),
        )
        self._producer.flush()

    def _read(self) -> None:
        while not (self._stop.is_set() and not self._awaited):
            for records in self._consumer.poll(50).values():
                for record in records:
                    self._see(record)

    def _see(self, record: Any) -> None:
        one = self._awaited.get(record.key)
        if one is None or record.value is None:
            return
        if JOURNEY_STATE.decode(record.value)["touchpoints"] < one.touchpoints:
            return
        del self._awaited[record.key]
        self.waits[one.kind].seconds.append(time.monotonic() - one.since)
        if one.kind == "state":
            name = next(owner["value"] for owner in JOURNEY_STATE.decode(record.value)["identifiers"])
            ids = [("cookie", name), ("customer_id", f"c-{name}")]
            self._publish(name, ids, _Awaited(time.monotonic(), 2, "merge"))
