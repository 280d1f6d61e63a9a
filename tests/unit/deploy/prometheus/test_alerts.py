"""Alert rules: the files are what the code says, Prometheus takes them, and each asks for metrics that there are."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.prometheus.alerts import ALL, Alert
from deploy.prometheus.render import MADE, RULES, expression, rules
from schemas.metrics import catalogue as metrics

SAMPLES = {sample: metric for metric in metrics.ALL for sample in metric.samples}
#: What Prometheus and prometheus_client measure themselves.
OTHERS = {"up", "process_start_time_seconds"}
JOB = "{job='touchline',instance='127.0.0.1:9100'}"


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not on PATH: apt-get install prometheus")
    return found


@pytest.mark.parametrize(("path", "make"), MADE, ids=lambda made: getattr(made, "name", ""))
def test_a_file_is_what_the_code_makes(path: Path, make: Callable[[], str]) -> None:
    assert path.read_text() == make(), "python -m deploy.prometheus.render"


@pytest.mark.parametrize("alert", ALL, ids=lambda alert: alert.name)
def test_an_alert_asks_for_metrics_and_labels_that_there_are(alert: Alert) -> None:
    asked = set(re.findall(r"\b(touchline_\w+|process_\w+|up)\b", alert.expr))
    assert asked
    assert asked <= SAMPLES.keys() | OTHERS
    labels = {label for name in asked & SAMPLES.keys() for label in SAMPLES[name].labels}
    known = labels | {"instance", "job", "le"}
    grouped = [part.split(",") for part in re.findall(r"\bby \(([^)]*)\)", alert.expr)]
    assert {label.strip() for part in grouped for label in part} <= known
    assert set(re.findall(r"(\w+)(?:=~|!=|!~|=)\"", alert.expr)) <= known
    assert set(re.findall(r"\$labels\.(\w+)", alert.summary)) <= known


def test_every_alert_has_a_name_of_its_own() -> None:
    assert len({alert.name for alert in ALL}) == len(ALL)


def test_a_factor_divides_durations_and_what_piles_up_with_time_and_nothing_else() -> None:
    by_name = {alert.name: alert for alert in ALL}
    stalled, quarantine = by_name["TouchlineWorkerStalled"], by_name["TouchlineQuarantine"]
    assert expression(stalled, 30).endswith("(touchline_worker_commit_age_seconds) > 4")
    assert expression(quarantine, 30).endswith('kind=~"quarantined|oversized"}[120000ms])) > 3.33333')
    assert expression(by_name["TouchlineCollectorFails"], 30).endswith("[10000ms])) > 0.05")
    groups = json.loads(rules(30).split("\n", 1)[1])["groups"]
    fast = {rule["alert"]: rule["for"] for group in groups for rule in group["rules"]}
    assert fast["TouchlineNotReady"] == "10000ms"
    assert fast["TouchlineBug"] == "0ms"


def test_prometheus_takes_rules_that_are_made_faster(promtool: str, tmp_path: Path) -> None:
    fast = tmp_path / "fast.yml"
    fast.write_text(rules(30))
    done = subprocess.run([promtool, "check", "rules", fast], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_prometheus_takes_the_rules(promtool: str) -> None:
    done = subprocess.run([promtool, "check", "rules", RULES], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"{len(ALL)} rules found" in done.stdout


def test_prometheus_refuses_rules_that_are_none(promtool: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.yml"
    broken.write_text(rules().replace("> 120", "> > 120"))
    assert subprocess.run([promtool, "check", "rules", broken], capture_output=True).returncode


#: Alert → the series of its fault, and the same without it, minute by minute in promtool's notation. `a+bxn`: a, then n
#: more, each larger by b.
STORIES: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "TouchlineProcessDown": ({f"up{JOB}": "1 1 0x30"}, {f"up{JOB}": "1 1 0 1x30"}),
    "TouchlineNotReady": (
        {"touchline_ready{process='worker'}": "1 0x40"},
        {"touchline_ready{process='worker'}": "1 0 0 0 1x40"},
    ),
    "TouchlineRestarts": (
        {f"process_start_time_seconds{JOB}": "1x25 2 3 4 5 5"},
        {f"process_start_time_seconds{JOB}": "1x25 2 2 3 3 3"},
    ),
    "TouchlineEventLoopHeldUp": (
        {
            "touchline_event_loop_late_seconds_bucket{le='1'}": "0x40",
            "touchline_event_loop_late_seconds_bucket{le='2.5'}": "0+10x40",
            "touchline_event_loop_late_seconds_bucket{le='+Inf'}": "0+10x40",
        },
        {
            "touchline_event_loop_late_seconds_bucket{le='1'}": "0+60x40",
            "touchline_event_loop_late_seconds_bucket{le='2.5'}": "0+60x40",
            "touchline_event_loop_late_seconds_bucket{le='+Inf'}": "0+60x40",
        },
    ),
    "TouchlineSettingsDiffer": (
        {
            "touchline_info{process='worker',version='1',meanings='a',instance='a'}": "1x40",
            "touchline_info{process='worker',version='1',meanings='b',instance='b'}": "1x40",
        },
        {
            "touchline_info{process='worker',version='1',meanings='a',instance='a'}": "1x40",
            "touchline_info{process='loader',version='1',meanings='a',instance='b'}": "1x40",
            "touchline_info{process='page',version='1',meanings='b',instance='c'}": "1x40",
        },
    ),
    "TouchlineErrorsLogged": (
        {"touchline_log_records_total{level='ERROR'}": "0x25 1x15"},
        {"touchline_log_records_total{level='WARNING'}": "0x25 1x15"},
    ),
    "TouchlineWorkerStalled": (
        {"touchline_worker_commit_age_seconds{topic='touchpoints',partition='1'}": "0+60x40"},
        {"touchline_worker_commit_age_seconds{topic='touchpoints',partition='1'}": "0 60 120 180 0x40"},
    ),
    "TouchlineWorkerLag": (
        {"touchline_worker_lag_records{topic='touchpoints',partition='1'}": "0+1000x40"},
        {"touchline_worker_lag_records{topic='touchpoints',partition='1'}": "40000-1000x40"},
    ),
    "TouchlineKafkaDoesNotAcknowledge": (
        {"touchline_worker_unacknowledged_seconds": "0+60x40"},
        {"touchline_worker_unacknowledged_seconds": "0 0 50 0x40"},
    ),
    "TouchlineStatesLate": (
        {
            "touchline_worker_publish_to_state_seconds_bucket{le='30'}": "0x40",
            "touchline_worker_publish_to_state_seconds_bucket{le='60'}": "0+5x40",
            "touchline_worker_publish_to_state_seconds_bucket{le='+Inf'}": "0+5x40",
        },
        {
            "touchline_worker_publish_to_state_seconds_bucket{le='0.5'}": "0+5x40",
            "touchline_worker_publish_to_state_seconds_bucket{le='30'}": "0+5x40",
            "touchline_worker_publish_to_state_seconds_bucket{le='+Inf'}": "0+5x40",
        },
    ),
    "TouchlineDecisionsLate": (
        {
            "touchline_worker_decisions_late_total": "0+6x40",
            "touchline_worker_decision_wait_seconds_count": "0+10x40",
        },
        {
            "touchline_worker_decisions_late_total": "0+1x40",
            "touchline_worker_decision_wait_seconds_count": "0+10x40",
        },
    ),
    "TouchlineDeadLetters": (
        {"touchline_worker_dead_letters_total{stage='stitch',reason='INVALID'}": "0x25 3x15"},
        {"touchline_worker_dead_letters_total{stage='stitch',reason='INVALID'}": "3x40"},
    ),
    "TouchlineBug": (
        {"touchline_worker_dead_letters_total{stage='journeys',reason='UNEXPECTED'}": "0x25 1x15"},
        {"touchline_worker_dead_letters_total{stage='journeys',reason='UNEXPECTED'}": "1x40"},
    ),
    "TouchlineQuarantine": (
        {"touchline_worker_state_items{state='identity',kind='oversized'}": "5+10x40"},
        {
            "touchline_worker_state_items{state='identity',kind='quarantined'}": "500x40",
            "touchline_worker_state_items{state='identity',kind='contested'}": "5+10x40",
        },
    ),
    "TouchlineLoaderStalled": (
        {"touchline_loader_commit_age_seconds": "0+60x40"},
        {"touchline_loader_commit_age_seconds": "0 60 110 0x40"},
    ),
    "TouchlineLoaderLag": (
        {"touchline_loader_lag_records{topic='journey-inputs',partition='1'}": "90000+10000x40"},
        {"touchline_loader_lag_records{topic='journey-inputs',partition='1'}": "900000-10000x40"},
    ),
    "TouchlineReconciliationBehind": (
        {"touchline_loader_reconciled_until_seconds{what='owners'}": "60x40"},
        {"touchline_loader_reconciled_until_seconds{what='owners'}": "60+60x40"},
    ),
    "TouchlineManyParts": (
        {"touchline_loader_clickhouse_parts{table='raw_touchpoints'}": "700x40"},
        {"touchline_loader_clickhouse_parts{table='raw_touchpoints'}": "700x10 80x30"},
    ),
    "TouchlineLoaderDeadLetters": (
        {"touchline_loader_dead_letters_total{reason='INVALID'}": "0x25 1x15"},
        {"touchline_loader_dead_letters_total{reason='INVALID'}": "1x40"},
    ),
    "TouchlineCollectorFails": (
        {
            "touchline_collector_requests_total{protocol='segment',status='503'}": "0+10x40",
            "touchline_collector_requests_total{protocol='segment',status='200'}": "0+90x40",
        },
        {
            "touchline_collector_requests_total{protocol='segment',status='400'}": "0+10x40",
            "touchline_collector_requests_total{protocol='segment',status='200'}": "0+90x40",
        },
    ),
    "TouchlineCollectorRefuses": (
        {"touchline_collector_events_total{protocol='segment',outcome='INVALID'}": "0+20x40"},
        {"touchline_collector_events_total{protocol='segment',outcome='accepted'}": "0+2000x40"},
    ),
    "TouchlineTableStale": (
        {"touchline_subscribers_age_seconds": "0+60x40"},
        {"touchline_subscribers_age_seconds": "0 60 120 1x40"},
    ),
    "TouchlineWebhookHeldBack": (
        {"touchline_webhooks_circuit{endpoint='crm'}": "0 1x40"},
        {"touchline_webhooks_circuit{endpoint='crm'}": "0 1 1 1 0x40"},
    ),
    "TouchlinePageBlind": (
        {"touchline_page_source_up{part='clickhouse'}": "1 0x40"},
        {"touchline_page_source_up{part='clickhouse'}": "1 0 0 1x40"},
    ),
}  # fmt: skip
AFTER = "32m"


def test_each_alert_fires_on_its_fault_and_nothing_else_does(promtool: str, tmp_path: Path) -> None:
    assert STORIES.keys() == {alert.name for alert in ALL}
    tests = [
        _told(series, f"{name} {what}", [name] if what == "fires" else [])
        for name, stories in STORIES.items()
        for what, series in zip(("fires", "is quiet"), stories, strict=True)
    ]
    story = tmp_path / "stories.yml"
    story.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}))
    done = subprocess.run([promtool, "test", "rules", story], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _told(series: dict[str, str], name: str, firing: list[str]) -> dict[str, Any]:
    """A story as promtool reads it: which alerts fire after half an hour."""
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": AFTER,
                "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in firing],
            }
        ],
    }
