"""What an event costs a worker as it knows more people and as their timelines grow, what a profile weighs and how
long its recovery takes. The real agents in process, without a broker: `python -m tests.benchmarks.growth --json`

- profiles: CPU per event (known people, drawn at random) with 10 thousand to 3 million profiles in the state. Everybody
  has come once before; three of five with a customer id, which identity has linked to their cookie;
- timelines: CPU per event of 2,000 people as each has 10, 100, ... touchpoints, a quarter of an hour apart;
- visitors, customers: resident bytes per profile with 10 touchpoints, of people with a cookie, and with a customer id
  too (and what stitch and identity know of it); Python, the code, and what does not grow for ever are not counted;
- recovery: CPU seconds per million profiles with 10 touchpoints from compacted changelogs.

Each in a process of its own, with the core that TOUCHLINE_CORE names. Kafka's and aiokafka's share of a worker's CPU is
not in here: see end_to_end and peers.
"""

import gc
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Annotated, Final

import typer

from deploy.cli.output import print_table, remarks
from deploy.ingest.publisher import message
from schemas.keys import partition_of
from schemas.settings import Settings
from schemas.topics import TOUCHPOINTS
from streams.core import choose_core
from streams.journeys.cache import WARM
from streams.runtime.publisher import OutgoingRecord
from tests.support.agents import Place
from tests.support.built_in import CATALOGUE, POLICY, RULES
from tests.support.touchpoints import START, touchpoint
from tests.support.turns import Changelogs, TurnsWorker

PARTITIONS: Final = 4
MINUTE: Final = 60_000
TOUCHPOINTS_EACH: Final = 10
TIMELINES: Final = 2_000
CHUNK: Final = 20_000  #: events encoded and fed at once
WINDOWS: Final = 3  #: of which the cheapest counts
CACHED: Final = 40_000  #: people after whom every bounded cache is full
TYPES: Final = {
    "home": 5, "product_view": 9, "search": 5, "add_to_cart": 2, "purchase": 1, "support_chat": 1, "error_page": 1,
}  # fmt: skip
CUSTOMERS: Final = 3, 5  #: of five people three are customers

#: Place, key, value.
Message = tuple[Place, bytes, bytes]
#: What was measured, how much, in which unit.
Figure = tuple[str, float, str]


class Source:
    """Touchpoints of numbered people in the order of time, encoded."""

    def __init__(self, step_ms: float, customers: Callable[[int], bool] | None = None) -> None:
        self._random = Random(1)
        self._made = 0
        self._step = step_ms
        self._customer = customers or (lambda profile: profile % CUSTOMERS[1] < CUSTOMERS[0])

    def of(self, profiles: Iterator[int]) -> list[Message]:
        """One touchpoint of each of these people."""
        kinds = self._random.choices(list(TYPES), list(TYPES.values()), k=CHUNK)
        return [self._one(profile, kinds[index % CHUNK]) for index, profile in enumerate(profiles)]

    def drawn(self, count: int, among: int) -> list[Message]:
        """So many touchpoints of people drawn at random."""
        return self.of(self._random.randrange(among) for _ in range(count))

    def _one(self, profile: int, kind: str) -> Message:
        at = START + int(self._made * self._step)
        self._made += 1
        known = [("customer_id", f"C{profile:08}")] if self._customer(profile) else []
        event = touchpoint(
            f"e-{self._made:010}", ids=[*known, ("cookie", f"ck-{profile:012x}")], occurred_at=at, received_at=at,
            source="web-shop", channel=("web", "app", "email")[self._made % 3], type=kind,
            issue_id="i1" if kind == "support_chat" else None,
            amount_minor=4990 if kind == "purchase" else None, currency="EUR" if kind == "purchase" else None,
            attributes={"page": "/p/4711", "referrer": "https://example.org/"},
        )  # fmt: skip
        key, value = message(event, POLICY, CATALOGUE)
        return (TOUCHPOINTS.name, partition_of(key, PARTITIONS)), key, value


def profiles(sizes: list[int]) -> list[Figure]:
    """CPU per event as profiles become more."""
    worker, source, known = TurnsWorker(PARTITIONS), Source(step_ms=100), 0
    figures = []
    for size in sorted(sizes):
        for start in range(known, size, CHUNK):
            worker.feed(_by_place(source.of(iter(range(start, min(start + CHUNK, size))))))
        known = size
        gc.freeze()  # as a worker has it that was started with this state
        windows = (source.drawn(CHUNK // 2, size) for _ in range(WINDOWS))
        figures.append((f"{size:,} profiles", _cost(worker, windows), "µs/event"))
        remarks.print(*figures[-1])
        figures.append((f"{size:,} profiles, all in all", _resident() / 2**20, "MiB resident"))
        remarks.print(*figures[-1])
    return figures


def timelines(lengths: list[int]) -> list[Figure]:
    """CPU per event as timelines grow."""
    worker, source, have = TurnsWorker(PARTITIONS), Source(step_ms=15 * MINUTE / TIMELINES), 0
    figures = []
    for length in sorted(lengths):
        for _ in range(have, length):
            worker.feed(_by_place(source.of(iter(range(TIMELINES)))))
        have = length + WINDOWS
        windows = (source.of(iter(range(TIMELINES))) for _ in range(WINDOWS))
        figures.append((f"timelines of {length:,}", _cost(worker, windows), "µs/event"))
        remarks.print(*figures[-1])
    return figures


def visitors(people: int) -> list[Figure]:
    """Resident bytes per visitor."""
    return [("a visitor", _weight(people, customer=False), "bytes")]


def customers(people: int) -> list[Figure]:
    """Resident bytes per customer."""
    return [("a customer", _weight(people, customer=True), "bytes")]


def recovery(people: int) -> list[Figure]:
    """CPU seconds of recovery."""
    changelogs: Changelogs = {}
    worker, source = TurnsWorker(PARTITIONS, changelogs=changelogs), Source(step_ms=100)
    _fill(worker, source, range(people))
    again = TurnsWorker(PARTITIONS)
    gc.freeze()
    started = time.process_time()
    records = again.restore(changelogs)
    spent = time.process_time() - started
    size = sum(
        len(key or b"") + len(value or b"") for kept in changelogs.values() for key, value in kept.items()
    )
    return [
        ("recovery", spent / people * 1e6, "CPU s per million profiles"),
        ("recovery", spent / records * 1e6, "µs per changelog record"),
        ("changelogs", size / people, "bytes per profile"),
    ]


def _weight(people: int, *, customer: bool) -> float:
    """Resident bytes per profile, of those beyond the number that is kept as objects."""
    worker, source = TurnsWorker(PARTITIONS), Source(step_ms=100, customers=lambda _: customer)
    # everything that is made once, and as many timelines as are kept as objects, before
    worker.feed(_by_place(source.of(iter(range(2 << 30, (2 << 30) + CACHED)))))
    _fill(worker, source, range(1 << 30, (1 << 30) + WARM * PARTITIONS * 5 // 4))
    gc.collect()
    before = _resident()
    _fill(worker, source, range(people))
    gc.collect()
    return (_resident() - before) / people


def _fill(worker: TurnsWorker, source: Source, people: range) -> None:
    """Everybody comes ten times; a few thousand come together, as a fetch would have them."""
    for start in range(0, len(people), CHUNK // 4):
        for _ in range(TOUCHPOINTS_EACH):
            worker.feed(_by_place(source.of(iter(people[start : start + CHUNK // 4]))))


def _cost(worker: TurnsWorker, windows: Iterable[list[Message]]) -> float:
    """Microseconds of CPU per event, in the best of some windows: other work on the machine only ever adds."""
    best = float("inf")
    for events in windows:
        started = time.process_time()
        worker.feed(_by_place(events))
        best = min(best, (time.process_time() - started) / len(events) * 1e6)
    return best


def _by_place(messages: list[Message]) -> dict[Place, list[OutgoingRecord]]:
    by_place: dict[Place, list[OutgoingRecord]] = {}
    for place, key, value in messages:
        by_place.setdefault(place, []).append((key, value, None))
    return by_place


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


_MEASURES: Final = {
    "profiles": profiles,
    "timelines": timelines,
    "visitors": visitors,
    "customers": customers,
    "recovery": recovery,
}


def _measure(name: str, argument: object) -> list[Figure]:
    choose_core(Settings.from_env().core, CATALOGUE, RULES)
    return _MEASURES[name](argument)  # type: ignore[operator]


def main(
    sizes: Annotated[
        str, typer.Option(help="Profiles; 3 million take 5 GB and 35 minutes.")
    ] = "10000,100000,1000000",
    lengths: Annotated[str, typer.Option(help="Touchpoints of a timeline.")] = "10,50,100,250,500,1000",
    people: Annotated[int, typer.Option(help="Profiles for memory and recovery.")] = 20_000,
    only: Annotated[str, typer.Option(help="Which measures.")] = ",".join(_MEASURES),
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Measure and print a table, or JSON."""
    arguments: dict[str, object] = {
        "profiles": [int(size) for size in sizes.split(",")],
        "timelines": [int(length) for length in lengths.split(",")],
        "visitors": people,
        "customers": people,
        "recovery": people,
    }
    figures: list[Figure] = []
    for name in only.split(","):
        remarks.print(_MEASURES[name].__doc__ or "")
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            figures += pool.submit(_measure, name, arguments[name]).result()
    if as_json:
        typer.echo(
            json.dumps([dict(zip(("what", "value", "unit"), figure, strict=True)) for figure in figures])
        )
        return
    print_table(("measured", "value"), [(what, f"{value:,.1f} {unit}") for what, value, unit in figures])


if __name__ == "__main__":
    typer.run(main)
