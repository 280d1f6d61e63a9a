"""What an identity partition has read and not decided: in order while it keeps up, in lanes once it does not."""

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from streams.identity.lanes import Job, Lane, Lanes, WaitingFetch

#: Records, and bytes of their values, that may wait. Those that a flood leaves behind it must be read, or the next
#: region's would not be found among them; what is beyond waits in Kafka.
MOST_RECORDS: Final = 100_000
MOST_BYTES: Final = 32 * 1024 * 1024


class Backlog:
    """The undecided records of one partition, with one acknowledgement for the fetches that have been decided."""

    def __init__(self, is_current: Callable[[Any], bool]) -> None:
        """`is_current`: whether no rebalance has ended since an event was read."""
        self._is_current = is_current
        self._bytes = 0
        self._decided: list[Any] = []  #: events whose records are decided, but not acknowledged
        self._newest: Any = None  #: the event added last
        self.in_order: deque[Job] = deque()
        self.lanes = Lanes()

    def __len__(self) -> int:
        return len(self.in_order) + len(self.lanes)

    @property
    def regions(self) -> int:
        """How many regions have something that waits in a lane."""
        return self.lanes.regions

    @property
    def has_room(self) -> bool:
        """Whether another fetch may be added."""
        return len(self) < MOST_RECORDS and self._bytes < MOST_BYTES

    def add(self, event: Any) -> None:
        """Add a fetch."""
        fetch = WaitingFetch(event)
        self._newest = event
        self._bytes += sum(len(record.value or b"") for record in event.value)
        self.in_order.extend(Job(record, fetch) for record in event.value)

    def take(self) -> tuple[Lane | None, Job]:
        """The next job, and its lane if it has one. While anything waits in lanes, jobs are taken from there."""
        return self.lanes.next() if self.lanes else (None, self.in_order.popleft())

    def pause(self, job: Job, lane: Lane | None, took: float) -> None:
        """Let a job that is not at its end wait for its next turn."""
        if lane is not None:
            self.lanes.served(lane, took, job)
        elif job.region is not None:
            self.lanes.add(job, job.message["tenant"], job.region)

    def decided(self, job: Job, lane: Lane | None, took: float) -> None:
        """Note that a job is at its end."""
        if lane is not None:
            self.lanes.served(lane, took)
        self._bytes -= len(job.record.value or b"")
        fetch = job.fetch
        fetch.undecided -= 1
        if not fetch.undecided:
            self._decided.append(fetch.event)

    def drop_stale(self) -> None:
        """Forget what has not begun once a rebalance has ended: the partition's owner reads it again.

        What has begun goes on, since the state is half decided.
        """
        if self._newest is not None and not self._is_current(self._newest):
            self.in_order.clear()
            self.lanes.drop_jobs()
            self._newest = None

    @property
    def value(self) -> list[Any]:
        """The records of the fetches that `ack` acknowledges."""
        return [record for event in self._decided for record in event.value]

    def ack(self) -> None:
        """Acknowledge the fetches that are decided as a whole."""
        for event in self._decided:
            event.ack()
        self._decided.clear()
