"""The faults by name."""

from tests.cluster import clocks, disks, memory, on_brokers, on_clickhouse
from tests.cluster.suite import ClusterFault

FAULTS = (
    ClusterFault(31, "leader", "leader of a partition killed", on_brokers.leader_killed),
    ClusterFault(32, "controller", "active controller killed", on_brokers.controller_killed),
    ClusterFault(33, "two", "two of three brokers gone, and back", on_brokers.two_of_three_gone),
    ClusterFault(34, "slow", "a slow replica, then a stopped one", on_brokers.slow_replica),
    ClusterFault(35, "rolling", "rolling restart under load", on_brokers.rolling_restart),
    ClusterFault(36, "partition", "network partition between workers and one broker", on_brokers.partitioned),
    ClusterFault(37, "unclean", "unclean election refused", on_brokers.unclean_election_refused),
    ClusterFault(41, "migrations", "ClickHouse killed during migrations", on_clickhouse.killed_in_migrations,
                 events=1_000, started=False),
    ClusterFault(42, "erasures", "ClickHouse killed during erasures", on_clickhouse.killed_in_erasures),
    ClusterFault(51, "clock-worker", "a worker's clock an hour ahead, then behind",
                 clocks.worker_ahead_and_behind, judge=clocks.judge_by_the_log),
    ClusterFault(52, "clock-broker", "a broker's clock an hour ahead, then behind",
                 clocks.broker_ahead_and_behind, judge=clocks.judge_by_the_log),
    ClusterFault(53, "clock-refused", "a broker's clock more than an hour behind", clocks.broker_too_far_behind,
                 judge=clocks.judge_by_the_log),
    ClusterFault(54, "clock-source", "a source's clock an hour ahead, then behind",
                 clocks.source_ahead_and_behind, judge=clocks.judge_by_the_log),
    ClusterFault(61, "disk-kafka", "a broker's disk full", disks.kafka_full),
    ClusterFault(62, "disk-checkpoints", "the checkpoints' disk full", disks.checkpoints_full, started=False),
    ClusterFault(63, "disk-clickhouse", "ClickHouse's disk full", disks.clickhouse_full, started=False),
    ClusterFault(71, "memory", "a backlog in 512 MiB", memory.backlog_under_a_limit, events=200_000,
                 short_events=40_000, started=False, population=memory.many),
    ClusterFault(72, "overload", "ten times what a worker takes", memory.overload, events=60_000,
                 short_events=12_000, started=False, population=memory.many),
)  # fmt: skip
BY_NAME = {fault.name: fault for fault in FAULTS}
