"""What a subscriber gets wrong before anything is connected, and what the documents show."""

import re
from pathlib import Path

import pytest

from deploy import sdk
from deploy.ports import free_port
from deploy.sdk import JourneyStates, JourneyTable, Settings, SettingsError, Signals, UnavailableError
from deploy.sdk.subscribe.kinds import KINDS, STATES, change_id
from deploy.sdk.subscribe.versions import Known, Versions
from schemas.topics import ALL

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
