"""What a reconciliation takes that follows a load."""

import statistics
import time

from sinks.clickhouse.write.reconcile.reconciliation import BOTH, Reconciliation
from tests.benchmarks.analytics.fill import change_hands, write_more
from tests.benchmarks.analytics.server import Filled

RUNS = 5


def show(tables: Filled) -> None:
    """Load more touchpoints, some of them of identifiers that changed hands, and reconcile each time."""
    reconciliation = Reconciliation(tables.where, margin_ms=0)
    begin = tables.touchpoints
    for size, changed in ((2_000, 0), (2_000, 200), (20_000, 0), (20_000, 2_000)):
        took: dict[str, list[float]] = {what: [] for what in BOTH}
        for number in range(RUNS):
            write_more(tables.client, begin, size, tables.touchpoints, tables.people)
            if changed:
                change_hands(tables.client, number * changed, changed, begin)
            for what in BOTH:
                began = time.perf_counter()
                reconciliation.run(what)
                took[what].append(time.perf_counter() - began)
            begin += size
        owners, profiles = (statistics.median(took[what]) * 1000 for what in BOTH)
        print(
            f"{size:,} touchpoints, {changed:,} identifiers changed hands:"
            f" owners {owners:,.0f} ms, profiles {profiles:,.0f} ms",
            flush=True,
        )
    reconciliation.close()
