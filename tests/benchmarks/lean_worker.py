"""A fixed workload through the real agents, by turns and without a clock: what instructions.py counts.

`python -m tests.benchmarks.lean_worker FILE EVENTS` runs the first EVENTS touchpoints of a file that `prepare` wrote,
with the core that TOUCHLINE_CORE names.
"""

import json
import pickle
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Final

from deploy.ingest.publisher import message
from deploy.simulation.population import Population, simulate
from schemas import topics
from schemas.keys import partition_of
from schemas.settings import Settings
from streams.core import choose_core
from tests.support.built_in import CATALOGUE, POLICY, RULES
from tests.support.turns import TurnsWorker

PARTITIONS: Final = 4
#: Touchpoints that arrive at once: a fetch has about a quarter of them, which is a worker under moderate load.
CHUNK: Final = 500

#: Partition, key, value, when it was received (UTC milliseconds).
Prepared = tuple[int, bytes, bytes, int]


def prepare(file: Path, events: int, people: int, seed: int = 1) -> None:
    """Write simulated touchpoints, encoded: making them is no part of what is counted."""
    prepared: list[Prepared] = []
    for event in simulate(Population(people=people, events=events, seed=seed)):
        key, value = message(event, POLICY, CATALOGUE)
        prepared.append((partition_of(key, PARTITIONS), key, value, event["received_at"]))
    file.write_bytes(pickle.dumps(prepared))


def run(prepared: list[Prepared]) -> Counter[str]:
    """Take touchpoints in, chunk by chunk, each with all that it causes. Returns the records by topic."""
    now_ms = 0
    worker = TurnsWorker(PARTITIONS, lambda: now_ms / 1000)
    rest = iter(prepared)
    while chunk := list(islice(rest, CHUNK)):
        now_ms = chunk[-1][3]
        worker.feed(
            {
                (topics.TOUCHPOINTS.name, number): [
                    (key, value, None) for partition, key, value, _ in chunk if partition == number
                ]
                for number in range(PARTITIONS)
            }
        )
    return worker.published


def main(file: str, events: str) -> None:
    """Run the first so many touchpoints and print how many records went where."""
    choose_core(Settings.from_env().core, CATALOGUE, RULES)
    print(json.dumps(run(pickle.loads(Path(file).read_bytes())[: int(events)])))


if __name__ == "__main__":
    main(*sys.argv[1:])
