"""What a question costs: times of warm and cold runs, CPU of the server, rows and bytes read."""

import statistics
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from clickhouse_driver import Client

from tests.benchmarks.processes import cpu_seconds

RUNS: Final = 20
BUDGET_SECONDS: Final = 10.0  #: for the warm runs of one question; a slow question gets fewer
#: What the server remembers of files and indexes; the operating system's cache stays.
_CACHES: Final = ("MARK", "PRIMARY INDEX", "UNCOMPRESSED")


class Cost(NamedTuple):
    """Milliseconds of warm runs and of a cold one, CPU seconds of the server, rows and bytes that one run reads."""

    p50: float
    p95: float
    cold: float
    cpu: float
    rows: int
    bytes: int

    @property
    def figures(self) -> str:
        """Cells of a Markdown table: p50, p95, CPU, rows and bytes."""
        return f"{self.p50:,.0f} ms | {self.p95:,.0f} ms | {self.cpu:.2f} | {self.rows:,} | {self.bytes / 1e6:,.1f}"


def cost(client: Client, pid: int, sql: str, given: Mapping[str, Any] | None = None) -> Cost:
    """Ask with cold caches, and then until the budget is spent. `pid` is the server's, which answers nobody else."""
    for cache in _CACHES:
        client.execute(f"SYSTEM DROP {cache} CACHE")
    cold = _ask(client, sql, given)
    took: list[float] = []
    before = cpu_seconds(pid)
    while len(took) < RUNS and sum(took) < BUDGET_SECONDS:
        took.append(_ask(client, sql, given))
    cpu = (cpu_seconds(pid) - before) / len(took)
    ordered = sorted(took)
    p95 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
    progress = client.last_query.progress
    return Cost(statistics.median(took) * 1000, p95 * 1000, cold * 1000, cpu, progress.rows, progress.bytes)


def _ask(client: Client, sql: str, given: Mapping[str, Any] | None) -> float:
    began = time.perf_counter()
    client.execute(sql, None if given is None else dict(given))
    return time.perf_counter() - began
