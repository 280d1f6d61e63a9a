"""How fast identity decides on one core, what it keeps in memory, and how long a late link may take.

    python -m tests.benchmarks.identity_links [--json] [--size 1000000]

- links/s at 10 thousand and at `--size` identifiers in the state (`identity_histories.population`), decoding and
  Kafka apart; the longest pause of garbage collection with Python's settings and with a worker's;
- bytes per identifier: everything that is kept, the texts included, as measured by tracemalloc;
- restoring the changelog of `--size` identifiers: records to the first answer, and to all components resolved;
- a component of 100,000 links that has refusals: a link an hour late and one from long ago, the first of its kind
  (which may learn the component's history) and the median of the others, and the longest turn: how long the event
  loop had to wait while that was going on.
"""

import gc
import json
import random
import statistics
import time
import tracemalloc
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import typer

from deploy.cli.output import print_table, remarks
from schemas.encoding.record_types import IDENTITY_LINK
from schemas.records import Identifier, IdentityLink
from streams.identity.resolution.components import TenantIdentities
from streams.identity.resolution.links import link_key
from streams.identity.state import IdentityState
from streams.runtime.cooperative import TIME_SLICE_SECONDS
from streams.runtime.garbage import freeze_live_objects, raise_gc_thresholds
from tests.benchmarks.identity_histories import (
    START,
    Link,
    call_centre,
    chain,
    families,
    fresh,
    link,
    population,
    shared_login,
)
from tests.support.built_in import POLICY

COMPONENT = 100_000
HOUR = 3_600_000


@dataclass(frozen=True)
class Figure:
    """One number that was measured."""

    what: str
    value: float
    unit: str


def main(
    size: Annotated[int, typer.Option(help="Identifiers of the large state.")] = 1_000_000,
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Measure everything and print a table, or JSON."""
    figures: list[Figure] = []
    for measure in (memory, speed, restoring, large_components):
        remarks.print(measure.__doc__ or "")
        figures += measure(size)
    if as_json:
        typer.echo(json.dumps([asdict(figure) for figure in figures]))
        return
    rows = [[figure.what, f"{figure.value:,.{_digits(figure)}f} {figure.unit}"] for figure in figures]
    print_table(["measured", "value"], rows, title="identity, on one core")


def _digits(figure: Figure) -> int:
    return 0 if figure.value >= 100 else 1


def memory(size: int) -> list[Figure]:
    """Memory."""
    identifiers = min(size, 200_000)
    links = population(identifiers)
    tracemalloc.start()
    identities = _observed(links)
    decided, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    del identities
    return [Figure("state, texts included", decided / identifiers, "bytes/identifier")]


def speed(size: int) -> list[Figure]:
    """Decisions."""
    small, large = population(10_000), population(size)
    figures = []
    with _collector(calm=False) as pauses:
        _observed(large)
    figures.append(Figure(f"longest collection, {size:,} identifiers, Python's settings", max(pauses), "ms"))
    with _collector(calm=True) as pauses:
        seconds = _time(lambda: _observed(large))
    figures.append(
        Figure(f"longest collection, {size:,} identifiers, a worker's settings", max(pauses), "ms")
    )
    figures.append(Figure(f"decided, {size:,} identifiers", len(large) / seconds, "links/s"))
    calls = call_centre(COMPONENT)
    shuffled = random.Random(1).sample(calls, len(calls))
    cases = (
        ("10,000 identifiers", small),
        ("a call centre's number", calls),
        ("the same, shuffled", shuffled),
    )
    for name, links in cases:
        with _collector(calm=True):
            seconds = _time(lambda links=links: _observed(links))
        figures.append(Figure(f"decided, {name}", len(links) / seconds, "links/s"))
    return figures


def restoring(size: int) -> list[Figure]:
    """Recovery."""
    records = [_changelog_record(link) for link in population(size)]
    state = IdentityState(POLICY)
    with _collector(calm=True):

        def read() -> None:
            for key, value in records:
                state.restore(key, value)
            state.restored()

        seconds = _time(read)
        freeze_live_objects(dropped=False)
        identities = state.tenant("shop").identities
        first = _time(lambda: identities.assignment(("customer_id", "c7")))
        everything = _time(identities.refused)
        gc.unfreeze()
    return [
        Figure(f"changelog of {len(records):,} links read", seconds, "s"),
        Figure("first answer after that", first * 1000, "ms"),
        Figure("all of it resolved at once", everything, "s"),
    ]


def large_components(size: int) -> list[Figure]:
    """Large components."""
    figures = []
    cases: tuple[tuple[str, list[Link], Callable[[int, int], Link]], ...] = (
        ("a shared log-in", shared_login(COMPONENT), _late_browser),
        ("families", families(COMPONENT), _late_guest),
        ("a chain", chain(COMPONENT), _late_customer),
    )
    for name, links, late in cases:
        with _collector(calm=True):
            identities = _observed(links)
            gc.freeze()
            newest = links[-1][1]
            for label, behind in (("an hour late", HOUR), ("from long ago", newest - START)):
                lateness = [random.Random(number).randrange(behind // 2, behind) for number in range(6)]
                times, turns = [], [0.0]
                for number, ago in enumerate(lateness):
                    whole, longest = _in_turns(identities, late(newest - ago, behind + number))
                    times.append(whole)
                    turns.append(longest)
                figures.append(Figure(f"{name}: {label}, the first", times[0] * 1000, "ms"))
                figures.append(Figure(f"{name}: {label}, median", statistics.median(times[1:]) * 1000, "ms"))
                figures.append(Figure(f"{name}: {label}, longest turn", max(turns) * 1000, "ms"))
            gc.unfreeze()
    return figures


def _late_browser(at: int, number: int) -> Link:
    return link(("customer_id", "all"), ("cookie", f"late-{number}"), at)


def _late_guest(at: int, number: int) -> Link:
    """Somebody else on the tablet that was new at that time, before its second user: the cut moves."""
    tablet = (at - START) // 1000
    return link(("customer_id", f"guest-{number}"), ("cookie", f"{tablet:07}"), START + 1000 * tablet + 250)


def _late_customer(at: int, number: int) -> Link:
    """A customer id that was first: the chain is hers then, and later ones are refused."""
    device = (at - START) // 1000
    return link(("customer_id", f"late-{number}"), ("device", f"{device:07}"), at)


def _observed(links: list[Link]) -> TenantIdentities:
    identities = TenantIdentities("shop", POLICY)
    for event in fresh(links):
        identities.observe(*event)
    return identities


def _in_turns(identities: TenantIdentities, late: Link) -> tuple[float, float]:
    """How long deciding takes, and the longest time without a rest that a worker would take."""
    work = identities.observe_resumably(*late)
    begun = turn = time.perf_counter()
    longest = 0.0
    for _ in work:
        now = time.perf_counter()
        if now - turn >= TIME_SLICE_SECONDS:
            longest, turn = max(longest, now - turn), now
    now = time.perf_counter()
    return now - begun, max(longest, now - turn)


@contextmanager
def _collector(*, calm: bool) -> Any:
    """Collect garbage as a worker does or as Python does; gives the pauses in ms."""
    before = gc.get_threshold()
    pauses, begun = [0.0], 0.0

    def look(phase: str, _: dict[str, int]) -> None:
        nonlocal begun
        if phase == "start":
            begun = time.perf_counter()
        else:
            pauses.append((time.perf_counter() - begun) * 1000)

    gc.collect()
    if calm:
        raise_gc_thresholds()
    gc.callbacks.append(look)
    try:
        yield pauses
    finally:
        gc.callbacks.remove(look)
        gc.set_threshold(*before)


def _time(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _changelog_record(event: Link) -> tuple[bytes, bytes]:
    (left, right), occurred_at, _ = event
    record = IdentityLink(
        tenant="shop", left=Identifier(type=left[0], value=left[1]), right=Identifier(type=right[0], value=right[1]),
        occurred_at=occurred_at, kind="OBSERVED", event_id=f"{occurred_at}-{right[1][-8:]}", source="web",
    )  # fmt: skip
    return link_key(record), IDENTITY_LINK.encode(record)


if __name__ == "__main__":
    typer.run(main)
