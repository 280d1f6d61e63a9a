"""All records of all topics, changelogs among them, that the agents make of a population: both cores' are equal."""

import pickle
from collections import defaultdict
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import pytest

from schemas import topics
from tests.benchmarks.lean_worker import CHUNK, PARTITIONS, Prepared, prepare
from tests.support.native import core, needs_native
from tests.support.turns import TurnsWorker

pytestmark = needs_native


def published(prepared: list[Prepared], native: bool) -> dict[str, str]:
    """A digest of the records of each topic, in their order."""
    digests = defaultdict(blake2b)
    now_ms = 0
    with core(native=native):
        worker = TurnsWorker(
            PARTITIONS,
            lambda: now_ms / 1000,
            look=lambda topic, record: digests[topic].update(repr(record).encode()),
        )
        rest = iter(prepared)
        while chunk := list(islice(rest, CHUNK)):
            now_ms = chunk[-1][3]
            for number in range(PARTITIONS):
                records = [(key, value, None) for partition, key, value, _ in chunk if partition == number]
                worker.feed({(topics.TOUCHPOINTS.name, number): records})
    return {topic: digest.hexdigest() for topic, digest in digests.items()}


@pytest.mark.parametrize(
    ("events", "people"), [(1_500, 40), pytest.param(20_000, 1_000, marks=pytest.mark.soak)]
)
def test_every_topic_gets_the_same_bytes(tmp_path: Path, events: int, people: int) -> None:
    prepare(tmp_path / "events", events, people)
    prepared = pickle.loads((tmp_path / "events").read_bytes())
    python, native = published(prepared, native=False), published(prepared, native=True)
    assert {topics.JOURNEY_STATES.name, topics.JOURNEY_SIGNALS.name} <= python.keys()
    assert native == python
