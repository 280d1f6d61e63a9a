"""What a subscriber gets wrong before anything is connected, and what the documents show."""

import re
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest
from kafka import TopicPartition
from kafka.structs import OffsetAndMetadata

from deploy import sdk
from deploy.ports import free_port
from deploy.sdk import JourneyStates, JourneyTable, Settings, SettingsError, Signals, UnavailableError
from deploy.sdk.subscribe.kinds import KINDS, STATES, change_id
from deploy.sdk.subscribe.versions import Known, Versions
from schemas.topics import ALL
from sinks.subscribers.table.database import Deployment
from sinks.subscribers.table.store import StateTable
from tests.support.ids import person
from tests.support.state_log import state

ROOT = Path(__file__).parents[5]
DOCUMENTS = [ROOT / "README.md", ROOT / "docs" / "subscribers-kafka.md"]


def test_slips_are_one_sentence() -> None:
    with pytest.raises(SettingsError, match="it must be 'oldest' or 'now'"):
        JourneyStates(Settings(), group="desk", start="earliest")
    with pytest.raises(SettingsError, match="is no name of a group"):
        Signals(Settings(), group="the desk")


def test_without_a_broker_the_first_change_says_so_and_a_table_says_why_it_waits(tmp_path: Path) -> None:
    nowhere = Settings(brokers=f"127.0.0.1:{free_port()}")
    with (
        JourneyStates(nowhere, group="desk") as states,
        pytest.raises(UnavailableError, match="no Kafka broker"),
    ):
        states.take(1)
    with JourneyTable(nowhere, store=tmp_path) as table:
        with pytest.raises(UnavailableError, match=r"not up to date after 0\.2 seconds: "):
            table.wait(0.2)
        assert table.get("anybody") is None


def test_a_subscription_that_was_stopped_ends_the_loop() -> None:
    with JourneyStates(Settings(), group="desk") as states:
        states.stop()
        assert list(states) == []


def test_what_is_closed_twice_closes_no_file_of_somebody_else(tmp_path: Path) -> None:
    nowhere = Settings(brokers=f"127.0.0.1:{free_port()}")
    for one in (JourneyTable(nowhere, store=tmp_path), JourneyStates(nowhere, group="desk", store=tmp_path)):
        one.close()
        with (tmp_path / "mine").open("w") as mine:  # it may get the number of the lock's file
            one.close()
            mine.write("there")
        assert (tmp_path / "mine").read_text() == "there"


def test_a_table_whose_client_fails_unexpectedly_says_so_and_tries_again(tmp_path: Path, monkeypatch) -> None:
    tried = threading.Event()

    def fail(*_: object, **__: object) -> None:
        if tried.is_set():
            again.set()
        tried.set()
        raise ValueError("a bug of a client")

    again = threading.Event()
    monkeypatch.setattr("deploy.sdk.subscribe.table.consumer", fail)
    monkeypatch.setattr("deploy.sdk.subscribe.table.AGAIN_SECONDS", 0.01)
    with JourneyTable(Settings(), store=tmp_path) as table:
        assert again.wait(10)
        assert table.problem == "something unexpected: ValueError"


class Broker:
    """A client of a broker that says one end when it is asked, and another when it is fetched from."""

    def __init__(self, *, said: int, fetched: int) -> None:
        self.said, self.fetched = said, fetched
        self.polled = False
        self.commits: list[int] = []

    def poll(self, **_: object) -> dict[object, object]:
        self.polled = True
        time.sleep(0.01)
        return {}

    def highwater(self, _place: object) -> int | None:
        return self.fetched if self.polled else None

    def commit(self, offsets: dict[object, OffsetAndMetadata]) -> None:
        self.commits += [one.offset for one in offsets.values()]

    def end_offsets(self, places: list[object]) -> dict[object, int]:
        return dict.fromkeys(places, self.said)

    def beginning_offsets(self, places: list[object]) -> dict[object, int]:
        return dict.fromkeys(places, 0)

    def committed(self, _place: object) -> int:
        return 5

    def position(self, _place: object) -> int:
        return 5

    def partitions_for_topic(self, _name: str) -> set[int]:
        return {0}

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition("journey-states", 0)}

    def topics(self) -> set[str]:
        return {"journey-states"}

    def assign(self, *_: object) -> None: ...
    def subscribe(self, *_: object, **__: object) -> None: ...
    def seek(self, *_: object) -> None: ...
    def seek_to_beginning(self, *_: object) -> None: ...
    def close(self, **_: object) -> None: ...


@pytest.mark.parametrize(("fetched", "anew"), [(5, False), (2, True)], ids=["the same topic", "made anew"])
def test_an_end_that_is_said_too_low_makes_no_topic_a_new_one(
    fetched: int, anew: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Broker(said=3, fetched=fetched)
    monkeypatch.setattr("deploy.sdk.subscribe.subscription.group_consumer", lambda *_, **__: broker)
    with JourneyStates(Settings(), group="desk") as states:
        assert states.take(0.1) is None
        assert broker.commits[:1] == ([0] if anew else []), (
            "the group's offset is given up only for another topic"
        )

    with closing(StateTable.open(tmp_path / "states.table", Deployment())) as store:
        store.apply([state("a", 1)._replace(partition=0, offset=4)])
        store.note_caught_up(time.time())
    broker = Broker(said=3, fetched=fetched)
    monkeypatch.setattr("deploy.sdk.subscribe.table.consumer", lambda *_, **__: broker)
    monkeypatch.setattr("deploy.sdk.subscribe.table.require_broker", lambda _: None)
    with JourneyTable(Settings(), store=tmp_path) as table:
        table.wait(10)
        assert (table.get(person("a")) is None) is anew


def test_every_topic_for_subscribers_but_the_assignments_of_the_table_has_an_iterator() -> None:
    public = {topic.name for topic in ALL if topic.public and "subscribers" in topic.read_by}
    assert public - set(KINDS) == {"identity-assignments"}
    assert {kind.topic.name for kind in KINDS.values() if kind.gone} == {
        topic.name for topic in ALL if topic.name in KINDS and topic.compacted
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_programs_of_the_documents_import_what_there_is(document: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", document.read_text(), re.DOTALL | re.MULTILINE)
    assert blocks
    for block in blocks:
        compile(block, document.name, "exec")
        for names in re.findall(r"^from touchline import (.*)$", block, re.MULTILINE):
            assert set(names.split(", ")) <= set(sdk.__all__)
        for method in re.findall(r"\btable\.(\w+)", block):
            assert hasattr(JourneyTable, method)


def test_memory_holds_the_versions_of_as_many_keys_as_the_document_says() -> None:
    bytes_, keys = 1 << 20, 8_000  # 256 MiB and two million, at a smaller scale
    versions = Versions.in_memory(bytes_)
    with versions.transaction():
        for number in range(keys):
            key = f"default/{number:08x}-0000-5000-8000-{number:012x}".encode()
            versions.note(key, 0, Known(1 << 40, 0, 0), 1_767_225_600_000, 1_767_225_600_000)
    assert versions.known(b"default/00000001-0000-5000-8000-000000000001") is not None


def test_the_id_of_a_change_names_its_key_and_version() -> None:
    assert (change_id("default/p", 7, 0), change_id("s", 7, 2)) == ("default/p:7", "s:7.2")
    assert STATES.forget_ms > 0
