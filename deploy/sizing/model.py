"""How many processes, cores, memory and disk a load needs: a pure function of the load and of measured figures.

Every figure is measured by a command of this source tree, or chosen, and then it says why. Those of CPU were measured
on two cores that broker, ClickHouse and load shared: a machine of its own needs rather less.
"""

from dataclasses import dataclass
from math import ceil
from typing import Final

from schemas.topics import DAY_MS, JOURNEY_INPUTS, JOURNEY_SIGNALS, TOUCHPOINTS

MIB: Final = 2**20
GIB: Final = 2**30
DAY: Final = 86_400  #: seconds


@dataclass(frozen=True)
class Figure:
    """A number that the model uses. `command` measures it; of a chosen one there is none, and `meaning` says why."""

    value: float
    unit: str
    meaning: str
    command: str = ""


_PEERS: Final = "make bench-peers"
_GROWTH: Final = "python -m tests.benchmarks.growth"
_RECORDS: Final = "python -m tests.benchmarks.record_sizes"
_IDENTITY: Final = "python -m tests.benchmarks.identity_links"
_ROWS: Final = "python -m tests.benchmarks.analytics 200000 --only nothing"

WORKER_US: Final = Figure(47, "µs CPU", "worker, an event, while few people are known", _PEERS)
COLD: Final = Figure(1.8, "times", "that, once a worker knows 100,000 people", f"{_GROWTH} --only profiles")
LOADER_US: Final = Figure(32, "µs CPU", "loader, an event with its states and signals", _PEERS)
CLICKHOUSE_US: Final = Figure(
    280, "µs CPU", "ClickHouse, inserting and merging an event's rows", "make bench-loading"
)
COLLECTOR_US: Final = Figure(
    336,
    "µs CPU",
    "collector, a request of one event; in batches of 100 a fifth of it",
    "python -m tests.benchmarks.collector",
)
BROKER_US: Final = Figure(158, "µs CPU", "one broker that leads everything, an event", "make bench")
FUNNEL_S: Final = Figure(
    0.29,
    "s CPU",
    "ClickHouse, a funnel over everything, for a million touchpoints",
    "make bench-analytics TOUCHPOINTS=10000000",
)

PROFILE_BYTES: Final = Figure(
    1500, "bytes", "worker's memory, a profile with its identifiers", f"{_GROWTH} --only profiles"
)
TIMELINE_BYTES: Final = Figure(
    22, "bytes", "worker's memory, a touchpoint of an idle timeline", f"{_GROWTH} --only visitors"
)
IDENTIFIER_BYTES: Final = Figure(
    396, "bytes", "memory of the worker that decides a tenant, an identifier", _IDENTITY
)
DECISION_US: Final = Figure(38, "µs CPU", "identity, a link, with a million identifiers", _IDENTITY)
LINK_RECOVERY_US: Final = Figure(27, "µs CPU", "identity's recovery, a link", _IDENTITY)
RECOVERY_US: Final = Figure(
    240, "µs CPU", "a worker's recovery, a profile with ten touchpoints", f"{_GROWTH} --only recovery"
)
RECORD_RECOVERY_US: Final = Figure(17, "µs CPU", "a record of it", f"{_GROWTH} --only recovery")

TOUCHPOINT_RECORD: Final = Figure(175, "bytes", "an event on `touchpoints`", _RECORDS)
INPUT_RECORD: Final = Figure(303, "bytes", "an event on `journey-inputs`, with its Moves", _RECORDS)
MONTH_RECORDS: Final = Figure(182, "bytes", "an event's links, signals and changes of profiles", _RECORDS)
COMPACTED_WRITES: Final = Figure(
    1720, "bytes", "an event's state, assignments and changelogs, before compaction", _RECORDS
)
PROFILE_KEPT: Final = Figure(
    2310, "bytes", "a profile's state, assignments and evidence, after compaction", _RECORDS
)
TIMELINE_KEPT: Final = Figure(370, "bytes", "a touchpoint in the journeys' changelog", _RECORDS)
LINKS: Final = Figure(0.15, "records", "new links, an event", _RECORDS)
SIGNALS: Final = Figure(0.44, "records", "signals, an event", _RECORDS)
IDENTIFIERS: Final = Figure(2.0, "", "identifiers, a profile", _RECORDS)

EVENT_ROW: Final = Figure(138, "bytes", "an event's row in ClickHouse", _ROWS)
SIGNAL_ROW: Final = Figure(48, "bytes", "a signal's row", _ROWS)
PROFILE_ROWS: Final = Figure(332, "bytes", "a profile's rows: state, timeline", _ROWS)
IDENTIFIER_ROWS: Final = Figure(106, "bytes", "an identifier's rows", _ROWS)

LOAD: Final = Figure(0.5, "of a core", "what the peak may use: the rest catches up after a failure")
GROWTH: Final = Figure(2, "times", "partitions, of the workers needed: they are hard to change")
BASE_MIB: Final = Figure(250, "MiB", "a process before it knows anybody")
BUFFER_MIB: Final = Figure(
    63, "MiB", "what a worker may have read ahead, a partition (docs/delivery.md#bounds)"
)
WORKER_GIB: Final = Figure(
    8, "GiB", "journeys in one worker at most: what it holds, others restore after a loss"
)
COMPACTION_DAYS: Final = Figure(2, "days", "of writes stand in a compacted topic: a segment and its lag")
DISK: Final = Figure(0.5, "of a disk", "what may be full: merges, compaction and a backlog need the rest")
PEAK: Final = Figure(3, "times", "the mean, what the peak is, unless --mean says otherwise")
REPLICATION: Final = Figure(3, "", "brokers, and replicas of each topic")
CLICKHOUSE_GIB: Final = Figure(8, "GiB", "ClickHouse's memory at least")
CLICKHOUSE_CACHED: Final = Figure(
    0.02, "of its rows", "ClickHouse's memory beyond that: what people ask of often"
)
SHARD_TIB: Final = Figure(10, "TiB", "of rows, beyond which one server's disks are rebuilt for days")
QUESTION_CORES: Final = Figure(
    2, "cores", "of ClickHouse for questions; a funnel over everything uses all of them"
)
RECOVERY_S: Final = Figure(600, "s", "that the partitions of a lost worker may stand still without a warning")
MOST_PARTITIONS: Final = Figure(1024, "", "partitions that the model of rebalances was run with")
HORIZON: Final = Figure(
    1024, "touchpoints", "a timeline keeps one by one, an identifier ([horizon] of journey.toml)"
)
#: A tenant's decisions are one partition, so one core.
DECISIONS_PER_CORE: Final = 1_000_000 / DECISION_US.value


@dataclass(frozen=True)
class Load:
    """What comes in, and for how long it is kept. `tenant_share` is the largest tenant's share of the identifiers."""

    events_per_second: float  #: in the busiest hour
    profiles: int
    retention_days: float  #: of touchpoints in ClickHouse
    mean_per_second: float | None = None
    identifiers_each: float = IDENTIFIERS.value
    tenant_share: float = 1.0

    @property
    def mean(self) -> float:
        """Events a second, day and night."""
        return self.mean_per_second or self.events_per_second / PEAK.value

    @property
    def touchpoints(self) -> float:
        """How many ClickHouse keeps."""
        return self.mean * DAY * self.retention_days

    @property
    def in_timelines(self) -> float:
        """How many the workers keep: their timelines forget by number, not by time."""
        return min(self.touchpoints, self.profiles * self.identifiers_each * HORIZON.value)


@dataclass(frozen=True)
class Size:
    """What a load needs. Cores and processes are for the peak; disk is for one replica unless it says otherwise."""

    partitions: int
    workers: int
    worker_cores: float
    worker_gib: float  #: of the worker that has the most: the largest tenant's identity, too
    loaders: int
    collectors: int
    brokers: int
    broker_cores: float  #: each
    broker_disk_gib: float  #: each
    broker_mib_per_second: float  #: written to each
    clickhouse_cores: float
    clickhouse_gib: float
    clickhouse_disk_gib: float
    funnel_seconds: float
    recovery_seconds: float  #: of the partitions of a lost worker, by the others
    tenant_identity_gib: float
    tenant_recovery_seconds: float
    tenant_decisions_share: float  #: of the one core that a tenant's decisions may have
    warnings: tuple[str, ...]


def size(load: Load) -> Size:
    """What this load needs. Raises ValueError if a figure of it is not positive or the share is above one."""
    positive = (load.events_per_second, load.profiles, load.retention_days, load.mean, load.identifiers_each)
    if min(positive) <= 0 or not 0 < load.tenant_share <= 1:
        raise ValueError("each figure of the load must be above 0, and the tenant's share at most 1")
    cold = COLD.value if load.profiles > 100_000 else 1.0
    cores = _cores(load.events_per_second, WORKER_US.value * cold)
    identity = load.profiles * load.identifiers_each * load.tenant_share * IDENTIFIER_BYTES.value / GIB
    journeys = (load.profiles * PROFILE_BYTES.value + load.in_timelines * TIMELINE_BYTES.value) / GIB
    workers = max(2, ceil(cores / LOAD.value), ceil(journeys / WORKER_GIB.value))
    partitions = 2 ** (max(8, ceil(workers * GROWTH.value)) - 1).bit_length()
    buffers = (BASE_MIB.value + ceil(partitions / workers) * BUFFER_MIB.value) * MIB / GIB
    # a share of the journeys is counted twice: after a loss the others have that, too
    worker_gib = journeys / (workers - 1) + identity + buffers
    decisions = load.events_per_second * LINKS.value * load.tenant_share / DECISIONS_PER_CORE
    links = load.profiles * load.identifiers_each * load.tenant_share
    kafka = _kafka_bytes(load)
    clickhouse = load.touchpoints * (EVENT_ROW.value + SIGNALS.value * SIGNAL_ROW.value)
    clickhouse += load.profiles * (PROFILE_ROWS.value + load.identifiers_each * IDENTIFIER_ROWS.value)
    written = TOUCHPOINT_RECORD.value + INPUT_RECORD.value + MONTH_RECORDS.value + COMPACTED_WRITES.value
    clickhouse_cores = _cores(load.events_per_second, CLICKHOUSE_US.value) / LOAD.value + QUESTION_CORES.value
    recovery = _recovery(load, workers, partitions)
    return Size(
        partitions=partitions,
        workers=workers,
        worker_cores=1.0,
        worker_gib=worker_gib,
        loaders=max(1, ceil(_cores(load.events_per_second, LOADER_US.value) / LOAD.value)),
        collectors=max(2, ceil(_cores(load.events_per_second, COLLECTOR_US.value) / LOAD.value)),
        brokers=int(REPLICATION.value),
        broker_cores=_cores(load.events_per_second, BROKER_US.value) / LOAD.value,
        broker_disk_gib=kafka / DISK.value / GIB,
        broker_mib_per_second=load.events_per_second * written / MIB,
        clickhouse_cores=clickhouse_cores,
        clickhouse_gib=max(CLICKHOUSE_GIB.value, clickhouse * CLICKHOUSE_CACHED.value / GIB),
        clickhouse_disk_gib=clickhouse / DISK.value / GIB,
        funnel_seconds=load.touchpoints / 1e6 * FUNNEL_S.value / clickhouse_cores,
        recovery_seconds=recovery,
        tenant_identity_gib=identity,
        tenant_recovery_seconds=links * LINK_RECOVERY_US.value / 1e6,
        tenant_decisions_share=decisions,
        warnings=tuple(_warnings(identity, decisions, partitions, clickhouse, recovery)),
    )


def _recovery(load: Load, workers: int, partitions: int) -> float:
    """A lost worker's partitions are restored by as many others as it had partitions, each a core."""
    each = ceil(partitions / workers)
    records = load.in_timelines + load.profiles * (RECOVERY_US.value / RECORD_RECOVERY_US.value - 10)
    return records * each / partitions * RECORD_RECOVERY_US.value / 1e6 / min(workers - 1, each)


def _cores(per_second: float, microseconds: float) -> float:
    return per_second * microseconds / 1e6


def _kafka_bytes(load: Load) -> float:
    """What one replica of all topics takes."""
    assert TOUCHPOINTS.retention_ms == JOURNEY_INPUTS.retention_ms
    week, month = ((topic.retention_ms or 0) / DAY_MS for topic in (TOUCHPOINTS, JOURNEY_SIGNALS))
    daily = load.mean * DAY
    found = (
        daily * week * (TOUCHPOINT_RECORD.value + INPUT_RECORD.value) + daily * month * MONTH_RECORDS.value
    )
    found += daily * COMPACTION_DAYS.value * COMPACTED_WRITES.value
    return found + load.profiles * PROFILE_KEPT.value + load.in_timelines * TIMELINE_KEPT.value


def _warnings(
    identity: float, decisions: float, partitions: int, clickhouse: float, recovery: float
) -> list[str]:
    found = []
    if identity > WORKER_GIB.value:
        found.append(
            f"the largest tenant's identity takes {identity:,.0f} GiB in one worker, whichever has its partition: give"
            " every worker that much, or make tenants of what needs no common identity"
        )
    if decisions > LOAD.value:
        found.append(
            f"the largest tenant's decisions take {decisions:.0%} of the one core that they may have:"
            " make tenants of what needs no common identity"
        )
    if recovery > RECOVERY_S.value:
        found.append(
            f"the partitions of a lost worker stand still for {recovery / 60:,.0f} minutes, while others restore"
            " them: with twice the workers it is a half to a quarter of that"
        )
    if partitions > MOST_PARTITIONS.value:
        found.append(
            f"{partitions:,} partitions were never tried: run several deployments, each with tenants of its own"
        )
    if clickhouse > SHARD_TIB.value * 1024 * GIB:
        found.append(
            f"ClickHouse would have {clickhouse / GIB / 1024:,.0f} TiB of rows on one shard: keep fewer days"
            " (TOUCHLINE_CLICKHOUSE_RETENTION), or run several deployments"
        )
    return found
