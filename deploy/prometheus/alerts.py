"""The alerts: when each fires, what it means, where to look and what mends it.

`lasts` is how long the condition holds before the alert fires. A rate is taken over minutes, so that a lone scrape that
fails changes nothing. A number in braces is seconds, or what piles up with time: a test that has no minutes to wait
divides it, and every duration, by one factor (`render.rules`).
"""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `page`: somebody must act now; `ticket`: somebody must act today."""

    name: str
    expr: str
    lasts: str
    severity: Literal["page", "ticket"]
    summary: str  #: one sentence, with Prometheus's {{ $labels }} and {{ $value }}
    meaning: str  #: what happens to people and data meanwhile
    look: str  #: where to look
    mend: str


PROCESSES: Final = (
    Alert(
        "TouchlineProcessDown", 'up{job="touchline"} == 0', "1m", "page",
        "{{ $labels.instance }} does not answer",
        "A process of Touchline is gone, or its metrics port is. Nothing is lost: what it had not committed"
        " is read again.",
        "The process's log and its supervisor: each ends with one sentence that says why.",
        "Start it again. If it ends again at once, do what its last sentence says.",
    ),
    Alert(
        "TouchlineNotReady", "touchline_ready == 0", "5m", "page",
        "the {{ $labels.process }} at {{ $labels.instance }} is not ready",
        "The process lives and does not do its work: it restores state, waits for partitions, or for what it needs.",
        "`curl 127.0.0.1:PORT/readyz` says in a sentence what it waits for."
        " `touchline_worker_recovery_remaining_seconds` says how long a recovery will still take.",
        "A recovery ends by itself. A group that rebalances for ever has a member that dies or is too slow: raise"
        " TOUCHLINE_SESSION_TIMEOUT, or find the member in the logs. Else start what it waits for.",
    ),
    Alert(
        "TouchlineRestarts", 'changes(process_start_time_seconds{job="touchline"}[15m]) > 3', "0s", "page",
        "{{ $labels.instance }} was started {{ $value }} times within 15 minutes",
        "A process ends again and again. Its partitions go to and fro, and journeys lag.",
        "The last line of each run in its log.",
        "Do what the sentence says. A probable bug names its traceback: report it, and set the record aside with"
        " `touchline dead-letters` if one record is the cause.",
    ),
    Alert(
        "TouchlineEventLoopHeldUp",
        "histogram_quantile(0.99, sum by (instance, le)"
        " (rate(touchline_event_loop_late_seconds_bucket[5m]))) > 1",
        "5m", "ticket", "the event loop of {{ $labels.instance }} is held up for more than a second",
        "Something occupies the process for whole seconds: heartbeats may fail, and partitions are taken away.",
        "`touchline_gc_pause_seconds`, `touchline_worker_undecided_records` and the machine's CPU and memory.",
        "Give the process more CPU or memory. Without either in short supply it is a bug: report it.",
    ),
    Alert(
        "TouchlineErrorsLogged", 'sum by (instance)'
        ' (increase(touchline_log_records_total{level=~"ERROR|CRITICAL"}[15m])) > 0',
        "0s", "ticket", "{{ $labels.instance }} logged errors",
        "An error that no sentence explains: Touchline logs what operators can mend as a warning.",
        "The log, at ERROR.",
        "Report it, with the traceback. The record that it names is a dead letter: nothing else was held up.",
    ),
    Alert(
        "TouchlineSettingsDiffer",
        'count(count by (version, meanings) (touchline_info{process=~"worker|loader|collector"})) > 1',
        "15m", "page", "processes go by {{ $value }} different releases, policies, catalogues or journey rules",
        "Two workers with different policies decide differently about one person, and who is right depends on which"
        " partition a record is in. During an update this lasts as long as the update.",
        "`touchline doctor --targets FILE` names the processes; `touchline_info` has the fingerprint of each.",
        "Give every process the same files and the same release, and start those that differ again.",
    ),
)  # fmt: skip

WORKERS: Final = (
    Alert(
        "TouchlineWorkerStalled", "max by (topic, partition) (touchline_worker_commit_age_seconds) > {120}", "2m",
        "page",
        "partition {{ $labels.partition }} of {{ $labels.topic }} has committed nothing for {{ $value }} s",
        "Records were read and are not finished. Journeys of this partition stand still; other partitions go on.",
        "`touchline_worker_unacknowledged_seconds` (Kafka does not take outputs),"
        " `touchline_worker_undecided_records`"
        " (a flood of links) and the worker's log.",
        "If Kafka is well and nothing waits, start the worker again: it reads again what is not committed.",
    ),
    Alert(
        "TouchlineWorkerLag",
        "sum by (topic) (touchline_worker_lag_records) > {10000}"
        " and sum by (topic) (deriv(touchline_worker_lag_records[5m])) > 0",
        "10m", "page", "workers are {{ $value }} records behind in {{ $labels.topic }}, and fall further behind",
        "More comes in than the workers process: journeys and signals are late.",
        "`touchline status`, `touchline_worker_stage_seconds`, and the CPU of the workers.",
        "Start more workers, up to TOUCHLINE_PARTITIONS of them. After a back-fill, wait.",
    ),
    Alert(
        "TouchlineKafkaDoesNotAcknowledge", "touchline_worker_unacknowledged_seconds > {30}", "1m", "page",
        "{{ $labels.instance }} has waited {{ $value }} s for Kafka's acknowledgement",
        "The broker, or too few of its replicas, takes no records. Nothing is lost; everything stands still.",
        "The brokers' logs and disks, and under-replicated partitions.",
        "Mend Kafka. The workers go on by themselves.",
    ),
    Alert(
        "TouchlineStatesLate",
        "histogram_quantile(0.99, sum by (le)"
        " (rate(touchline_worker_publish_to_state_seconds_bucket[5m]))) > {30}",
        "10m", "ticket", "one state in a hundred is more than {{ $value }} s old when it is published",
        "Subscribers and people at desks see journeys of the past. Published history, too, raises this alert.",
        "`touchline_worker_stage_seconds` by stage says which agent is slow; `touchline_worker_lag_records`"
        " where it waits.",
        "As for TouchlineWorkerLag. While history is published, silence the alert.",
    ),
    Alert(
        "TouchlineDecisionsLate",
        "sum(rate(touchline_worker_decisions_late_total[5m]))"
        " / sum(rate(touchline_worker_decision_wait_seconds_count[5m])) > 0.5",
        "15m", "ticket", "more than half of the newcomers do not get identity's decision in time",
        "Touchpoints of new identifiers go to a profile that is merged a moment later: results are right,"
        " and cost more.",
        "`touchline_worker_undecided_records` and `touchline_worker_waiting_regions`: a flood of links of"
        " one tenant.",
        "Wait for the flood to end, or find its source with `touchline explain` and limit it at the collector.",
    ),
    Alert(
        "TouchlineDeadLetters", 'sum by (stage, reason)'
        ' (increase(touchline_worker_dead_letters_total{reason!="UNEXPECTED"}[15m])) > 0',
        "0s", "ticket", "{{ $labels.stage }} set {{ $value }} records aside: {{ $labels.reason }}",
        "A source sends what breaks the contract. Those records count nowhere until they are mended.",
        "`touchline dead-letters` groups them by reason and source.",
        "Mend the source, then `touchline dead-letters replay`, which can correct them on the way (`--fix`).",
    ),
    Alert(
        "TouchlineBug", 'sum by (stage)'
        ' (increase(touchline_worker_dead_letters_total{reason="UNEXPECTED"}[15m])) > 0',
        "0s", "page", "{{ $labels.stage }} could not process {{ $value }} records on a bug of Touchline",
        "The records are dead letters, the others go on.",
        "The worker's log has the traceback, the dead letter the record.",
        "Report the bug. After an update, `touchline dead-letters replay`.",
    ),
    Alert(
        "TouchlineQuarantine",
        'sum(delta(touchline_worker_state_items{state="identity",kind=~"quarantined|oversized"}[1h])) > {100}',
        "0s", "ticket",
        "{{ $value }} identifiers were quarantined within an hour",
        "Limits refused very many links at a profile, or links would unite more identifiers than `component_size`:"
        " a shared device, a test address, or an attack. Nobody is merged.",
        "The worker's log names the tenant; `touchline explain` tells which identifiers.",
        "Block the value in the identity policy ([blocked]), or raise its limit, or `component_size`, if it is"
        " rightly shared.",
    ),
)  # fmt: skip

LOADERS: Final = (
    Alert(
        "TouchlineLoaderStalled", "touchline_loader_commit_age_seconds > {120}", "1m", "page",
        "rows wait since {{ $value }} s for ClickHouse",
        "Analysts and the page see the past. Journeys and signals go on; Kafka keeps what waits, for its retention.",
        "The loader's log says what ClickHouse or Kafka answers; `touchline_loader_retries_total`.",
        "Start or mend ClickHouse, make room on its disk, or correct user and rights. The loader goes on by itself.",
    ),
    Alert(
        "TouchlineLoaderLag",
        "sum(touchline_loader_lag_records) > {100000} and sum(deriv(touchline_loader_lag_records[5m]))"
        " > 0", "10m",
        "ticket", "the loaders are {{ $value }} records behind, and fall further behind",
        "Rows come late.", "`touchline_loader_insert_seconds` by table, and ClickHouse's CPU.",
        "Start another loader, or give ClickHouse more CPU. Without `http_port` in TOUCHLINE_CLICKHOUSE_URL"
        " loading costs"
        " far more.",
    ),
    Alert(
        "TouchlineReconciliationBehind",
        "time() - min(max by (what) (touchline_loader_reconciled_until_seconds > 0)) > {600}", "5m", "ticket",
        "owners and profiles in ClickHouse were last brought in line {{ $value }} s ago",
        "Rows of merged people still name their former profile. The live tables of Kafka are right. A loader that has"
        " not reconciled once since it started raises nothing.",
        "`touchline_loader_reconciliation_failures_total` and the loader's log.",
        "The loader with partition 0 of journey-inputs does it: see that it runs and that ClickHouse answers.",
    ),
    Alert(
        "TouchlineManyParts", "touchline_loader_clickhouse_parts > 600", "15m", "ticket",
        "{{ $labels.table }} has {{ $value }} parts in one partition",
        "ClickHouse does not keep up with merging. From 1,000 parts on inserts are slowed down, from 3,000"
        " on refused.",
        "`SELECT * FROM system.merges`, and the disk and CPU of ClickHouse.",
        "Give it CPU or a faster disk. Stop back-fills meanwhile.",
    ),
    Alert(
        "TouchlineLoaderDeadLetters", "sum by (reason) (increase(touchline_loader_dead_letters_total[15m]))"
        " > 0", "0s",
        "ticket", "the loader set {{ $value }} records aside: {{ $labels.reason }}",
        "Records of internal topics that Touchline would not have written: something else writes them, or a bug.",
        "`touchline dead-letters`; docs/security.md says who may write what.",
        "Take the right to write away from whoever has it. Otherwise report it.",
    ),
)  # fmt: skip

EDGES: Final = (
    Alert(
        "TouchlineCollectorFails",
        'sum by (instance) (rate(touchline_collector_requests_total{status=~"5.."}[5m]))'
        " / sum by (instance) (rate(touchline_collector_requests_total[5m])) > 0.05",
        "2m", "page", "the collector at {{ $labels.instance }} fails more than 5% of its requests",
        "Sources keep what is not taken, as long as they can. Browsers cannot for long.",
        "`curl 127.0.0.1:PORT/readyz`; the collector's log.",
        "Mend Kafka if it does not acknowledge, else start another collector beside it.",
    ),
    Alert(
        "TouchlineCollectorRefuses",
        'sum by (protocol, outcome) (increase(touchline_collector_events_total{outcome!="accepted"}[15m]))'
        ' > {100}', "0s",
        "ticket", "the collector refused {{ $value }} events over {{ $labels.protocol }}: {{ $labels.outcome }}",
        "A source sends what breaks the contract.", "The answer to the source, and `touchline dead-letters`.",
        "Mend the source.",
    ),
    Alert(
        "TouchlinePageBlind", "touchline_page_source_up == 0", "2m", "ticket",
        "the page gets no answer from {{ $labels.part }}",
        "Open pages say so, and show what they knew.", "Whether the part runs, and the page's log.",
        "Start it. The page goes on by itself.",
    ),
    Alert(
        "TouchlineTableStale", "touchline_subscribers_age_seconds > {60}", "2m", "page",
        "`touchline serve` at {{ $labels.instance }} has the journeys of {{ $value }} s ago",
        "Services and desks that ask it see the past, and answers say how old they are.",
        "`touchline_subscribers_lag_records`, the log of `touchline serve`, and whether Kafka answers.",
        "Mend Kafka, or give the process more CPU. It catches up by itself.",
    ),
    Alert(
        "TouchlineWebhookHeldBack", "touchline_webhooks_circuit > 0", "5m", "ticket",
        "the endpoint {{ $labels.endpoint }} gets no messages",
        "Its receiver failed again and again, or said 410. Messages wait in the outbox.",
        "`touchline webhooks status`, and the receiver.",
        "Mend the receiver: messages go on by themselves. After 410 `touchline webhooks run`"
        " has to be started again.",
    ),
)  # fmt: skip

GROUPS: Final = {"processes": PROCESSES, "workers": WORKERS, "loaders": LOADERS, "edges": EDGES}
ALL: Final = tuple(alert for alerts in GROUPS.values() for alert in alerts)
