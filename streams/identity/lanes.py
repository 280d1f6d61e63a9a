"""Lanes: what waits for identity's decision, in one queue per region, so that a heavy one lets the others pass.

The records of one region are decided in the order of their offsets: their decisions carry offsets as versions, and the
newest version counts. Records of different regions have nothing in common (`resolution.regions`), so any order does.
The next turn belongs to the tenant that has had the least time, and within the tenant to the region that has had the
least. Whoever comes anew starts level with whoever is served, and owes nothing.
"""

import heapq
from collections import deque
from dataclasses import dataclass
from itertools import count
from typing import Any

from streams.identity.resolution.regions import Lane as RegionLane
from streams.identity.resolution.regions import Region
from streams.identity.resolution.resumable import Resumable


class WaitingFetch:
    """A fetch of which some records are undecided."""

    __slots__ = ("event", "undecided")

    def __init__(self, event: Any) -> None:
        self.event = event
        self.undecided = len(event.value)


@dataclass(slots=True, eq=False)
class Job:
    """One record to decide on."""

    record: Any
    fetch: WaitingFetch
    message: Any = None  #: decoded, once it has begun
    work: Resumable[Any] | None = None  #: the decision under way, once it has begun
    region: Region | None = None  #: of a decision that was long enough to be paused


class Lane(RegionLane):
    """The jobs of one region, in the order of their offsets."""

    __slots__ = ("absorbed_by", "begun", "jobs", "region", "served", "tenant")

    def __init__(self, tenant: "_TenantLanes", region: Region) -> None:
        self.tenant = tenant
        self.region = region
        self.begun: deque[Job] = deque()  #: paused decisions, which no other job of the lane may precede
        self.jobs: deque[Job] = deque()
        self.served = tenant.level  #: seconds
        self.absorbed_by: Lane | None = None

    def __len__(self) -> int:
        return len(self.begun) + len(self.jobs)

    def absorb(self, other: RegionLane) -> None:
        """Take over the jobs of another lane."""
        assert isinstance(other, Lane)
        self.begun += other.begun
        self.jobs = deque(heapq.merge(self.jobs, other.jobs, key=_offset))
        other.begun, other.jobs, other.absorbed_by = deque(), deque(), self

    def take(self) -> Job:
        """The next job; it may have begun."""
        return (self.begun or self.jobs).popleft()


class _TenantLanes:
    """The lanes of one tenant."""

    __slots__ = ("lanes", "level", "name", "served")

    def __init__(self, name: str, served: float) -> None:
        self.name = name
        self.served = served  #: seconds
        self.level = 0.0  #: what the lane had been served that was served last
        #: lanes with jobs: seconds served, a number that makes entries comparable, lane
        self.lanes: list[tuple[float, int, Lane]] = []


class Lanes:
    """All lanes of one partition. Falsy if nothing waits in them."""

    def __init__(self) -> None:
        self._tenants: dict[str, _TenantLanes] = {}
        self._order: list[tuple[float, int, _TenantLanes]] = []
        self._level = 0.0  #: what the tenant had been served that was served last
        self._numbers = count()
        self._waiting = 0

    def __len__(self) -> int:
        return self._waiting

    @property
    def regions(self) -> int:
        """How many lanes have something that waits."""
        return sum(1 for tenant in self._tenants.values() for _, _, lane in tenant.lanes if len(lane))

    def add(self, job: Job, tenant: str, region: Region) -> None:
        """Let a job wait for its region. A job that has begun goes before those that have not."""
        self._waiting += 1
        lane = region.lane
        if not isinstance(lane, Lane):
            lane = region.lane = Lane(self._tenant(tenant), region)
            heapq.heappush(lane.tenant.lanes, (lane.served, next(self._numbers), lane))
        (lane.jobs if job.work is None else lane.begun).append(job)

    def next(self) -> tuple[Lane, Job]:
        """The lane whose turn it is, and its next job. Follow it by `served`. Raises IndexError if nothing waits."""
        while True:
            self._level, _, tenant = heapq.heappop(self._order)
            while tenant.lanes:
                tenant.level, _, lane = heapq.heappop(tenant.lanes)
                if len(lane):  # else it was absorbed, or its jobs were dropped
                    self._waiting -= 1
                    return lane, lane.take()
            del self._tenants[tenant.name]

    def served(self, lane: Lane, seconds: float, unfinished: Job | None = None) -> None:
        """Charge a lane for its turn, and let what is left of it wait for its next one."""
        tenant = lane.tenant
        lane.served += seconds
        tenant.served += seconds
        heapq.heappush(self._order, (tenant.served, next(self._numbers), tenant))
        while lane.absorbed_by is not None:
            lane = lane.absorbed_by
        if unfinished is not None:
            self._waiting += 1
            lane.begun.appendleft(unfinished)
        if len(lane):
            heapq.heappush(tenant.lanes, (lane.served, next(self._numbers), lane))
        else:
            lane.region.lane = None

    def drop_jobs(self) -> None:
        """Forget all jobs that have not begun: somebody else reads their records again."""
        for tenant in self._tenants.values():
            for _, _, lane in tenant.lanes:
                self._waiting -= len(lane.jobs)
                lane.jobs.clear()
                if not lane.begun and lane.region.lane is lane:
                    lane.region.lane = None

    def _tenant(self, name: str) -> _TenantLanes:
        found = self._tenants.get(name)
        if found is None:
            found = self._tenants[name] = _TenantLanes(name, self._level)
            heapq.heappush(self._order, (found.served, next(self._numbers), found))
        return found


def _offset(job: Job) -> int:
    return int(job.record.offset)
