"""All metrics, by the process that has them."""

from types import ModuleType
from typing import Final

from schemas.metrics import collector, loader, page, process, subscribers, webhooks, worker
from schemas.metrics.metric import Metric


def _declared(module: ModuleType) -> tuple[Metric, ...]:
    return tuple(one for one in vars(module).values() if isinstance(one, Metric))


#: What docs/metrics.md calls a process → its metrics.
BY_PROCESS: Final = {
    "every process": _declared(process),
    "the worker": _declared(worker),
    "the loader": _declared(loader),
    "the collector": _declared(collector),
    "the page": _declared(page),
    "`touchline serve`": _declared(subscribers),
    "`touchline webhooks`": _declared(webhooks),
}
ALL: Final = tuple(metric for metrics in BY_PROCESS.values() for metric in metrics)
