"""The dashboards: panels with their queries. ClickHouse panels read the same views as the live page."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Shape: TypeAlias = Literal["stat", "lines", "bars", "table"]

#: The parameters of a view that answers for a period, in the macros of Grafana's ClickHouse data source.
PERIOD: Final = "tenant = ${tenant:sqlstring}, since = $__fromTime_ms, until = $__toTime_ms"


@dataclass(frozen=True)
class Asked:
    """One panel. `source` says which data source answers `query`: SQL, or PromQL."""

    title: str
    meaning: str
    source: Literal["clickhouse", "prometheus"]
    shape: Shape
    query: str
    width: int = 8  #: of 24
    unit: str = "short"
    legend: str = ""  #: PromQL only

    @property
    def text(self) -> str:
        """The query as the data source gets it: {period} stands for PERIOD."""
        return self.query.replace("{period}", PERIOD)


@dataclass(frozen=True)
class Board:
    """One dashboard."""

    uid: str
    title: str
    panels: tuple[Asked, ...]
    tenants: bool  #: whether a tenant is chosen


OVERVIEW: Final = Board(
    "touchline-overview",
    "Touchline: overview",
    (
        Asked("People", "People whose newest touchpoint lies in the time range.", "clickhouse", "stat",
              "SELECT sum(people) AS people FROM people_now({period})", 4),
        Asked("Open and overdue issues", "Cases that wait for their solution.", "clickhouse", "stat",
              "SELECT countIf(status = 'open') AS open, countIf(status = 'overdue') AS overdue"
              " FROM issues({period})", 6),
        Asked("Signals that hold", "Raised and not retracted, by kind.", "clickhouse", "bars",
              "SELECT kind, standing FROM signal_rates({period}) ORDER BY standing DESC", 14),
        Asked("People now", "By stage and component, with the time in the stage.", "clickhouse", "table",
              "SELECT stage, component, people, dwell_median_seconds, dwell_p90_seconds FROM people_now({period})"
              " ORDER BY people DESC", 12),
        Asked("From looking to buying", "People who did these steps in this order within seven days.", "clickhouse",
              "bars", "SELECT type, reached FROM funnel({period}, steps = ['product_view', 'add_to_cart',"
              " 'checkout_started', 'order_placed'], within_seconds = 604800, order = 'ordered', per = 'person',"
              " by = '', top = 1) ORDER BY step", 12),
        Asked("Touchpoints by channel", "Per day.", "clickhouse", "lines",
              "SELECT toDateTime(period_start) AS time, channel, touchpoints"
              " FROM channel_mix({period}, period = 'day') ORDER BY time, channel", 12),
        Asked("Revenue", "Orders less what was given back, per day and currency.", "clickhouse", "lines",
              "SELECT toDateTime(from_time) AS time, currency, toFloat64(net) AS net"
              " FROM revenue({period}, bucket_seconds = 86400) WHERE currency != '' ORDER BY time, currency", 12),
        Asked("Friction by team", "Which team causes what.", "clickhouse", "bars",
              "SELECT owner, sum(friction) AS friction FROM friction_by_owner({period}) GROUP BY owner"
              " ORDER BY friction DESC", 12),
        Asked("Scores", "NPS, CSAT and CES per day.", "clickhouse", "lines",
              "SELECT toDateTime(toDate(segment)) AS time, toString(kind) AS kind, score"
              " FROM scores({period}, by = 'day') ORDER BY time, kind", 12),
    ),
    tenants=True,
)  # fmt: skip

HEALTH: Final = Board(
    "touchline-health",
    "Touchline: data health",
    (
        Asked("Age of each table's newest row", "Seconds since a row was written.", "clickhouse", "bars",
              "SELECT name, loaded_ago_seconds FROM health_tables(tenant = ${tenant:sqlstring}) ORDER BY name",
              12, "s"),
        Asked("Until a row can be asked for", "From reception or publication to the row, p99.", "clickhouse", "lines",
              "SELECT toDateTime(hour) AS time, toString(name) AS name, p99_seconds FROM health_loader({period})"
              " ORDER BY time, name", 12, "s"),
        Asked("Received by source", "Touchpoints per hour of reception.", "clickhouse", "lines",
              "SELECT toDateTime(hour) AS time, toString(source) AS source, touchpoints"
              " FROM health_sources({period}, late_seconds = 300) ORDER BY time, source", 12),
        Asked("Lateness by source", "From occurrence to reception, p99.", "clickhouse", "lines",
              "SELECT toDateTime(hour) AS time, toString(source) AS source, late_p99_seconds"
              " FROM health_sources({period}, late_seconds = 300) ORDER BY time, source", 12, "s"),
        Asked("Silence", "Sources that send nothing now, and for how long.", "clickhouse", "table",
              "SELECT toString(source) AS source, silent_seconds, usual_seconds, from_time"
              " FROM health_gaps({period}, gap_seconds = 3600) WHERE ongoing ORDER BY silent_seconds DESC", 12),
        Asked("Names that the catalogue lacks", "With the nearest known name.", "clickhouse", "table",
              "SELECT kind, name, toString(source) AS source, touchpoints, nearest FROM unknown_names"
              " WHERE tenant = ${tenant:sqlstring} ORDER BY touchpoints DESC LIMIT 50", 12),
        Asked("Dead letters", "Of all tenants, by reason, per hour.", "clickhouse", "lines",
              "SELECT toDateTime(hour) AS time, toString(reason) AS reason, sum(letters) AS letters"
              " FROM health_dead_letters(since = $__fromTime_ms, until = $__toTime_ms)"
              " GROUP BY time, reason ORDER BY time, reason", 24),
    ),
    tenants=True,
)  # fmt: skip

OPERATIONS: Final = Board(
    "touchline-operations",
    "Touchline: operations",
    (
        Asked("Loader lag", "Records that are not yet in ClickHouse.", "prometheus", "lines",
              "sum(touchline_loader_lag_records) by (instance)", 8, legend="{{instance}}"),
        Asked("Rows loaded", "A second, by table.", "prometheus", "lines",
              "sum(rate(touchline_loader_rows_total[5m])) by (table)", 8, "rowsps", "{{table}}"),
        Asked("A flush takes", "p50 and p99 of decode, insert and commit.", "prometheus", "lines",
              "histogram_quantile(0.99, sum(rate(touchline_loader_flush_seconds_bucket[5m])) by (le))", 8, "s", "p99"),
        Asked("Reconciliation", "Up to when owners and copies are right, and how long a run takes.", "prometheus",
              "lines", "time() - min(max(touchline_loader_reconciled_until_seconds) by (what))", 8, "s", "behind"),
        Asked("Dead letters of the loader", "A second, by reason.", "prometheus", "lines",
              "sum(rate(touchline_loader_dead_letters_total[5m])) by (reason)", 8, legend="{{reason}}"),
        Asked("Worker lag", "Records that are not committed, by topic.", "prometheus", "lines",
              "sum(touchline_worker_lag_records) by (topic)", 8, legend="{{topic}}"),
        Asked("Worker: oldest uncommitted record", "Of all partitions, by topic.", "prometheus", "lines",
              "max(touchline_worker_commit_age_seconds) by (topic)", 8, "s", "{{topic}}"),
        Asked("Until a state is published", "From reception, p99.", "prometheus", "lines",
              "histogram_quantile(0.99, sum(rate(touchline_worker_publish_to_state_seconds_bucket[5m])) by (le))", 8,
              "s", "p99"),
        Asked("A stage takes", "From a record in Kafka to its acknowledged effects, p99.", "prometheus", "lines",
              "histogram_quantile(0.99, sum(rate(touchline_worker_stage_seconds_bucket[5m])) by (le, stage))", 8, "s",
              "{{stage}}"),
        Asked("Records finished", "A second, by stage.", "prometheus", "lines",
              "sum(rate(touchline_worker_records_total[5m])) by (stage)", 8, legend="{{stage}}"),
        Asked("Merges and splits", "A second, by kind and cause.", "prometheus", "lines",
              "sum(rate(touchline_worker_profile_changes_total[5m])) by (kind, cause)", 8, legend="{{kind}} {{cause}}"),
        Asked("Refused links", "That the identity policy refuses now, by reason.", "prometheus", "lines",
              "sum(touchline_worker_refused_links) by (reason)", 8, legend="{{reason}}"),
        Asked("State", "What workers hold, by agent and kind.", "prometheus", "lines",
              "sum(touchline_worker_state_items) by (state, kind)", 8, legend="{{state}} {{kind}}"),
        Asked("Dead letters of workers", "A second, by stage and reason.", "prometheus", "lines",
              "sum(rate(touchline_worker_dead_letters_total[5m])) by (stage, reason)", 8,
              legend="{{stage}} {{reason}}"),
        Asked("Parts in ClickHouse", "Of the partition with most of them, by table.", "prometheus", "lines",
              "max(touchline_loader_clickhouse_parts) by (table)", 8, legend="{{table}}"),
        Asked("Ready", "1 while a process does its work.", "prometheus", "lines", "touchline_ready", 8,
              legend="{{process}} {{instance}}"),
        Asked("Collector: requests", "A second, by protocol and status.", "prometheus", "lines",
              "sum(rate(touchline_collector_requests_total[5m])) by (protocol, status)", 8, "reqps",
              "{{protocol}} {{status}}"),
        Asked("Collector: answers take", "p99 by protocol.", "prometheus", "lines",
              "histogram_quantile(0.99, sum(rate(touchline_collector_request_seconds_bucket[5m])) by (le, protocol))",
              8, "s", "{{protocol}}"),
    ),
    tenants=False,
)  # fmt: skip

BOARDS: Final = (OVERVIEW, HEALTH, OPERATIONS)
