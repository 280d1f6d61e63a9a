"""What an event leaves in Kafka, in records and bytes, topic by topic: `python -m tests.benchmarks.record_sizes`.

The real agents in process, over a simulated population, in fetches of 2,000 touchpoints. Sizes and counts follow from
the events alone, so any machine gives the same figures. `records` and `bytes` are for one event; `kept` is the bytes
that compaction leaves of a compacted topic, for one profile. Kafka's own bytes (some 20 a record in a batch) and its
compression are not in here.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Final

import typer

from deploy.cli.output import print_json, print_table
from deploy.ingest.publisher import message
from deploy.simulation.population import Population, simulate
from schemas import topics
from schemas.keys import partition_of
from streams.runtime.publisher import OutgoingRecord
from tests.support.agents import Place
from tests.support.built_in import CATALOGUE, POLICY
from tests.support.turns import FETCH_RECORDS, TurnsWorker

PARTITIONS: Final = 4
COMPACTED: Final = frozenset(topic.name for topic in topics.ALL if topic.compacted)


class Sizes:
    """Records and bytes of each topic, and what compaction leaves of it."""

    def __init__(self) -> None:
        self.records: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.kept: dict[str, dict[bytes, int]] = {name: {} for name in COMPACTED}

    def look(self, topic: str, record: OutgoingRecord) -> None:
        """Count one record."""
        key, value, _ = record
        size = len(key or b"") + len(value or b"")
        self.records[topic] += 1
        self.bytes[topic] += size
        if topic in self.kept and key is not None:
            self.kept[topic].pop(key, None)
            if value is not None:
                self.kept[topic][key] = size


def measure(population: Population) -> dict[str, object]:
    """The figures of a population."""
    sizes, events, now_ms = Sizes(), 0, 0
    worker = TurnsWorker(PARTITIONS, clock=lambda: now_ms / 1000, look=sizes.look)
    rest = simulate(population)
    while some := list(islice(rest, FETCH_RECORDS)):
        events, now_ms = events + len(some), some[-1]["received_at"]
        worker.feed(_placed(message(event, POLICY, CATALOGUE) for event in some))
    profiles = len(sizes.kept[topics.JOURNEY_STATES.name])
    return {
        "events": events,
        "profiles": profiles,
        "identifiers": len(sizes.kept[topics.IDENTITY_ASSIGNMENTS.name]),
        "topics": {
            name: {
                "records": sizes.records[name] / events,
                "bytes": sizes.bytes[name] / events,
                "kept": sum(sizes.kept[name].values()) / profiles if name in COMPACTED else None,
            }
            for name in sorted(sizes.records)
        },
    }


def _placed(messages: Iterator[tuple[bytes, bytes]]) -> dict[Place, list[OutgoingRecord]]:
    found: dict[Place, list[OutgoingRecord]] = {}
    for key, value in messages:
        place = topics.TOUCHPOINTS.name, partition_of(key, PARTITIONS)
        found.setdefault(place, []).append((key, value, None))
    return found


def command(
    people: Annotated[int, typer.Option(help="How many customers.")] = 4_000,
    events: Annotated[int, typer.Option(help="How many events.")] = 60_000,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Print the table."""
    found = measure(Population(people, events, seed=1))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            name,
            f"{each['records']:.2f}",
            f"{each['bytes']:,.0f}",
            "" if each["kept"] is None else f"{each['kept']:,.0f}",
        )
        for name, each in found["topics"].items()  # type: ignore[attr-defined]
    ]
    title = (
        f"{found['events']:,} events, {found['profiles']:,} profiles, {found['identifiers']:,} identifiers"
    )
    print_table(("topic", "records an event", "bytes an event", "kept a profile"), rows, title)


if __name__ == "__main__":
    typer.run(command)
