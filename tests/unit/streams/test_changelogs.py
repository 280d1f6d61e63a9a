"""A topic of schemas/topics.py names what it carries; a worker of any release reads what another release wrote."""

from collections import defaultdict
from dataclasses import replace
from operator import itemgetter
from typing import Any

import pytest

from deploy.ingest.publisher import message
from schemas import topics
from schemas.encoding import record_types
from schemas.encoding.codec import name_of
from schemas.encoding.record_types import RecordType
from schemas.keys import partition_of
from streams.runtime.publisher import OutgoingRecord
from tests.support.agents import Place, assert_named
from tests.support.built_in import CATALOGUE, POLICY, RULES
from tests.support.turns import Changelogs, TurnsWorker
from tests.support.versions import Change, in_full, to_version_2
from tests.upgrade import story

PARTITIONS = 2
#: Everything is switched on, and the story reaches the horizon.
EVERYTHING = replace(
    RULES, predict_next=True, predict_risk=True, horizon_touchpoints=20, horizon_ms=7 * 86_400_000
)
CLOCK = 1_780_000_000.0
TYPES = [found for found in vars(record_types).values() if isinstance(found, RecordType)]


def fed(events: list[Any]) -> dict[Place, list[OutgoingRecord]]:
    by_place = defaultdict(list)
    for event in events:
        key, value = message(event, POLICY, CATALOGUE)
        by_place[topics.TOUCHPOINTS.name, partition_of(key, PARTITIONS)].append((key, value, None))
    return by_place


Content = list[tuple[str, bytes | None, Any]]  #: topic, key and content of every record, in order


def played(rewrite: Change | None = None) -> tuple[Content, Changelogs]:
    """Run the story to the upgrade, restart from the changelogs, and go on. `rewrite` changes each record."""
    content: Content = []
    changelogs: Changelogs = {}

    def look(topic: str, record: OutgoingRecord) -> None:
        key, value, _ = record
        content.append((topic, key, value and in_full(value)))

    before = TurnsWorker(
        PARTITIONS, lambda: CLOCK, EVERYTHING, changelogs=changelogs, look=look, rewrite=rewrite
    )
    before.feed(fed(story.earlier()))
    after = TurnsWorker(PARTITIONS, lambda: CLOCK, EVERYTHING, look=look, rewrite=rewrite)
    after.restore(changelogs)
    after.feed(fed(story.later()))
    # the records of one topic have an order; two topics have none
    return sorted(content, key=itemgetter(0)), changelogs


def test_every_changelog_carries_the_records_that_its_topic_names_and_no_others() -> None:
    written: dict[str, set[str]] = defaultdict(set)

    def look(topic: str, record: OutgoingRecord) -> None:
        assert_named(topic, record[1])
        if record[1] is not None:
            written[topic].add(name_of(record[1]))

    TurnsWorker(PARTITIONS, lambda: CLOCK, EVERYTHING, look=look).feed(fed(story.earlier()))
    for topic in topics.CHANGELOGS:
        assert written[topic.name] == set(topic.values), topic.name


def test_workers_write_the_same_whichever_version_the_records_have_that_they_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plain, _ = played()
    other, changelogs = played(to_version_2(monkeypatch))
    assert other == plain
    kept = [value for part in changelogs.values() for value in part.values() if value is not None]
    assert not any(value.startswith(record.header) for value in kept for record in TYPES)
