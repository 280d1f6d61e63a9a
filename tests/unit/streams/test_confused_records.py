"""Whatever a confused producer writes to an internal topic is one dead letter, and harms nobody else.

Each record of `tests/support/confused.py` goes to the real agent that reads its topic, before a record that is right.
The agent must set the first aside, do what the second asks, and leave a changelog that a restart can read.
"""

import asyncio
from collections import defaultdict
from typing import Any

import pytest

from schemas import topics
from schemas.encoding.codec import encode
from schemas.encoding.record_types import DEAD_LETTER, IDENTITY_ASSIGNMENT
from schemas.errors import UnavailableError
from schemas.keys import partition_of
from schemas.topics import Topic
from schemas.version_bounds import VERSION_SLACK
from streams.accounts.agent import Accounts
from streams.identity.agent import Identity
from streams.journeys.agent import Journeys
from streams.runtime.app import WorkerApp
from streams.stitch.agent import Stitch
from tests.support.agents import FetchEvent, Record, worker_app
from tests.support.built_in import CATALOGUE, POLICY, RULES
from tests.support.confused import VALID, Confused, assignment, confused_records, key_of

PARTITIONS = 4
CONFUSED = list(confused_records(PARTITIONS))
#: What a record that is right causes at least.
ANSWERS = {
    topics.IDENTITY_LINKS: topics.IDENTITY_ASSIGNMENTS,
    topics.JOURNEY_INPUTS: topics.JOURNEY_STATES,
    topics.ACCOUNT_INPUTS: topics.ACCOUNT_STATES,
}


class Broker:
    """Takes what agents publish, and tells the ends of topics."""

    def __init__(self, end: int = 10) -> None:
        self.published: dict[str, list[tuple[bytes, bytes | None]]] = defaultdict(list)
        self.end = end
        self.looks = 0

    async def publish(self, outbox: Any) -> dict[Any, Any]:
        for (topic, _), records in outbox.records.items():
            self.published[topic] += [(key, value) for key, value, _ in records]
        return {}

    async def ends(self, _: str, partitions: Any) -> dict[int, int]:
        self.looks += 1
        return dict.fromkeys(partitions, self.end) if self.end else {}


class Once:
    """A stream of given fetches."""

    def __init__(self, *fetches: list[Record]) -> None:
        self._fetches = [FetchEvent(fetch) for fetch in fetches]

    def noack(self) -> "Once":
        return self

    async def events(self) -> Any:
        for fetch in self._fetches:
            yield fetch

    def take_waiting(self) -> None:
        """Nothing waits: each fetch comes alone."""

    def is_current(self, _event: FetchEvent) -> bool:
        return True


def app_with(broker: Broker) -> WorkerApp:
    app = worker_app(broker, partitions=PARTITIONS)
    app.log_reader = broker  # type: ignore[assignment]
    return app


def agent_of(topic: Topic, app: WorkerApp) -> tuple[Any, Any]:
    """The state of the agent that reads a topic, and its coroutine function."""
    if topic is topics.IDENTITY_LINKS:
        identity = Identity(app, POLICY)
        return identity.state, identity.links
    if topic is topics.IDENTITY_ASSIGNMENTS:
        stitch = Stitch(app, POLICY, CATALOGUE)
        return stitch.state, stitch.assignments
    if topic is topics.JOURNEY_INPUTS:
        journeys = Journeys(app, CATALOGUE, RULES)
        return journeys.state, journeys.inputs
    accounts = Accounts(app, RULES)
    return accounts.state, accounts.inputs


def right(topic: Topic, partition: int | None = None) -> Record:
    name, message = VALID[topic][0]
    key = key_of(name, message)
    return Record(topic.name, partition_of(key, PARTITIONS), 7, 0, key, encode(name, message))


@pytest.mark.parametrize("confused", CONFUSED, ids=str)
def test_it_is_one_dead_letter_and_what_follows_it_is_done_also_after_a_restart(confused: Confused) -> None:
    broker = Broker()
    topic = confused.topic
    state, process = agent_of(topic, app_with(broker))
    wrong = Record(topic.name, confused.partition, 6, 0, confused.key, confused.value, confused.headers)
    good = right(topic)

    asyncio.run(process(Once([wrong], [good])))

    (letter,) = [DEAD_LETTER.decode(value) for _, value in broker.published["dead-letters"]]
    assert (letter["offset"], letter["value"]) == (6, confused.value)
    assert letter["reason"] != "UNEXPECTED", letter["error"]
    if topic in ANSWERS:
        assert broker.published[ANSWERS[topic].name]
    changelog = broker.published[state.topic_name]
    assert changelog
    again, process = agent_of(topic, app_with(Broker()))
    for key, value in changelog:
        again.of(good.partition).restore(key, value)
    again.of(good.partition).restored()
    asyncio.run(process(Once([good])))


@pytest.mark.parametrize(
    ("topic", "name", "message"),
    [(topic, name, message) for topic, records in VALID.items() for name, message in records],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_what_is_right_is_no_dead_letter(topic: Topic, name: str, message: dict[str, Any]) -> None:
    broker = Broker()
    _, process = agent_of(topic, app_with(broker))
    key = key_of(name, message)
    record = Record(topic.name, partition_of(key, PARTITIONS), 7, 0, key, encode(name, message))

    asyncio.run(process(Once([record])))

    assert broker.published["dead-letters"] == []


def learnt(broker: Broker, *versions: int) -> tuple[list[int], Any]:
    """The versions of assignments that became dead letters, and the state of stitch after all of them."""
    state, process = agent_of(topics.IDENTITY_ASSIGNMENTS, app_with(broker))
    records = []
    for version in versions:
        message = assignment(version=version)
        record = right(topics.IDENTITY_ASSIGNMENTS)
        record.value = IDENTITY_ASSIGNMENT.encode(message)  # type: ignore[arg-type]
        records.append(record)
    asyncio.run(process(Once(records)))
    letters = [DEAD_LETTER.decode(value)["value"] for _, value in broker.published["dead-letters"]]
    return [IDENTITY_ASSIGNMENT.decode(value)["version"] for value in letters], state


def test_versions_are_bounded_by_the_end_of_the_topic_that_counts_them_and_the_broker_is_asked_when_it_matters() -> (
    None
):
    near, far = Broker(end=5), Broker(end=5 * VERSION_SLACK)
    assert learnt(near, 3, VERSION_SLACK + 4, VERSION_SLACK + 5, 4 * VERSION_SLACK)[0] == [
        VERSION_SLACK + 5,
        4 * VERSION_SLACK,
    ]
    assert learnt(far, 3, VERSION_SLACK + 5, 4 * VERSION_SLACK)[0] == []
    assert learnt(Broker(), 1, 2, 3)[0] == []

    quiet = Broker()
    learnt(quiet, 1, 2, 3)
    assert quiet.looks == 0
    assert near.looks == 3  # once for each of the three topics that count, whatever was forged


def test_a_version_is_not_refused_while_the_broker_does_not_answer() -> None:
    with pytest.raises(UnavailableError):
        learnt(Broker(end=0), 4 * VERSION_SLACK)
