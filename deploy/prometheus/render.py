"""Makes Prometheus's rules, docs/runbook.md and docs/metrics.md: `python -m deploy.prometheus.render` writes them.

JSON is YAML, so the rules need no library.
"""

import json
import re
from pathlib import Path
from typing import Any, Final

from deploy.prometheus.alerts import GROUPS, Alert
from schemas.metrics.catalogue import BY_PROCESS
from schemas.metrics.metric import LABELS, Metric

HERE: Final = Path(__file__).parent
DOCS: Final = HERE.parents[1] / "docs"
RULES: Final = HERE / "touchline.rules.yml"
RUNBOOK: Final = DOCS / "runbook.md"
METRICS: Final = DOCS / "metrics.md"
_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
_DURATION: Final = re.compile(r"(\d+)([smh])")
_RANGE: Final = re.compile(r"\[(\w+)\]")
_PILED_UP: Final = re.compile(r"\{(\d+)\}")


def rules(faster: int = 1) -> str:
    """The rules file. `faster` divides every duration, and what piles up with time: a test has no minutes to wait."""
    groups = [
        {"name": f"touchline-{name}", "rules": [_rule(alert, faster) for alert in alerts]}
        for name, alerts in GROUPS.items()
    ]
    return (
        "# Made by `python -m deploy.prometheus.render` from deploy/prometheus/alerts.py.\n"
        + json.dumps({"groups": groups}, indent=1, ensure_ascii=False)
        + "\n"
    )


def _rule(alert: Alert, faster: int) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": expression(alert, faster),
        "for": _shorter(alert.lasts, faster),
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": f"{alert.summary[:1].upper()}{alert.summary[1:]}.",
            "runbook": f"docs/runbook.md#{alert.name.lower()}",
        },
    }


def expression(alert: Alert, faster: int = 1) -> str:
    """When the alert fires, in PromQL."""
    text = _PILED_UP.sub(lambda found: f"{int(found[1]) / faster:g}", alert.expr)
    return _RANGE.sub(lambda found: f"[{_shorter(found[1], faster)}]", text)


def _shorter(duration: str, faster: int) -> str:
    """A duration of Prometheus, divided."""
    found = _DURATION.fullmatch(duration)
    assert found is not None
    if faster == 1:
        return duration
    return f"{int(found[1]) * _UNITS[found[2]] * 1000 // faster}ms"


def runbook() -> str:
    """What to do about each alert."""
    parts = [
        "# Runbook: what to do when an alert fires\n\n"
        "Made by `python -m deploy.prometheus.render` from deploy/prometheus/alerts.py. The rules for"
        " Prometheus are\n"
        "deploy/prometheus/touchline.rules.yml; an alert of severity `page` needs somebody now, `ticket`"
        " needs somebody\n"
        "today. [metrics.md](metrics.md) says what each metric means. Nothing here loses data: Kafka keeps"
        " what waits,\n"
        "for its retention.\n"
    ]
    for name, alerts in GROUPS.items():
        parts.append(f"\n## {name.capitalize()}\n")
        parts += [
            f"\n### {alert.name}\n\n`{expression(alert)}` for {alert.lasts}, severity"
            f" {alert.severity}.\n\n{alert.meaning}\n\n- **Look at:** {alert.look}\n- **Mend it:** {alert.mend}\n"
            for alert in alerts
        ]
    return "".join(parts)


def reference() -> str:
    """Every metric of every process."""
    parts = [
        "# Metrics and health\n\n"
        "Made by `python -m deploy.prometheus.render` from schemas/metrics/. With"
        " `TOUCHLINE_METRICS_PORT` each process\n"
        "answers on 127.0.0.1 at that port:\n\n"
        "- `/metrics`: what is listed here, and what prometheus_client tells of every Python process"
        " (memory, CPU, start).\n"
        "- `/healthz`: 200 while the process lives; 503 once its event loop has been stuck for 30 seconds,"
        " so that it has\n"
        "  to be started again.\n"
        "- `/readyz`: 200 while it does its work; else 503 with a sentence that says what it waits for. A"
        " worker is ready\n"
        "  once its partitions are assigned and their state is restored. One without a partition stands by,"
        " and is ready.\n\n"
        "Each process needs a port of its own. `touchline up` counts on from TOUCHLINE_METRICS_PORT and writes the\n"
        "addresses into `prometheus-targets.json` of its folder, which deploy/prometheus/prometheus.yml"
        " reads. Alert rules\n"
        "are in deploy/prometheus/touchline.rules.yml, what to do about each in [runbook.md](runbook.md),"
        " dashboards in\n"
        "deploy/grafana/.\n\n"
        "Lag, ages and sizes are read when Prometheus asks. Counters and histograms of the worker are kept"
        " once a fetch: they\n"
        "cost less than 2% of an event.\n\n"
        "## Labels\n\n| label | what it holds |\n|---|---|\n"
    ]
    parts += [f"| `{label}` | {meaning} |\n" for label, meaning in sorted(LABELS.items())]
    for title, metrics in BY_PROCESS.items():
        parts.append(f"\n## Metrics of {title}\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n")
        parts += [_row(metric) for metric in metrics]
    return "".join(parts)


def _row(metric: Metric) -> str:
    name = metric.samples[0] if metric.kind == "counter" else metric.name
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"| `{name}` | {metric.kind} | {labels} | {metric.meaning} |\n"


#: Each file that is made, and what makes it.
MADE: Final = ((RULES, rules), (RUNBOOK, runbook), (METRICS, reference))


def main() -> None:
    """Write all files."""
    for path, make in MADE:
        path.write_text(make())


if __name__ == "__main__":
    main()
