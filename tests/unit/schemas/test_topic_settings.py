"""The settings of topics make true what docs/erasure.md says about how long Kafka keeps what was erased."""

from pathlib import Path

import pytest

from schemas.topics import ALL, DAY_MS, FOR_EVER, Topic

DOCUMENT = (Path(__file__).parents[3] / "docs" / "erasure.md").read_text()


def days(topic: Topic, setting: str) -> float:
    return int(topic.config()[setting]) / DAY_MS


@pytest.mark.parametrize("topic", [one for one in ALL if one.compacted], ids=lambda topic: topic.name)
def test_a_compacted_topic_lets_superseded_records_and_tombstones_go_within_a_day_each(topic: Topic) -> None:
    config = topic.config()
    assert config["cleanup.policy"] == "compact"
    assert "min.compaction.lag.ms" not in config
    assert days(topic, "max.compaction.lag.ms") == 1
    assert days(topic, "delete.retention.ms") == 1
    assert days(topic, "segment.ms") <= 1, "compaction leaves the newest segment alone"


@pytest.mark.parametrize(
    "topic",
    [one for one in ALL if not one.compacted and one.retention_ms != FOR_EVER],
    ids=lambda topic: topic.name,
)
def test_a_topic_with_a_retention_keeps_a_record_for_at_most_one_day_longer(topic: Topic) -> None:
    config = topic.config()
    assert config["cleanup.policy"] == "delete"
    assert days(topic, "retention.ms") in (7, 30)
    assert days(topic, "segment.ms") == 1, "Kafka deletes whole segments"


def test_every_topic_with_a_retention_stands_in_the_document_with_its_days() -> None:
    rows = [line for line in DOCUMENT.splitlines() if line.startswith("| Kafka")]
    for topic in ALL:
        if topic.retention_ms not in (None, FOR_EVER):
            (row,) = [line for line in rows if f"`{topic.name}`" in line]
            assert f"{topic.retention_ms // DAY_MS} days" in row
        elif topic.compacted and "changelog" not in topic.name:
            (row,) = [line for line in rows if f"`{topic.name}`" in line]
            assert "`max.compaction.lag.ms`" in row


def test_the_broker_stamps_what_sources_send_and_nothing_else() -> None:
    """A source's clock decides neither when its touchpoint was received nor how long Kafka keeps it."""
    stamped = [topic for topic in ALL if topic.config().get("message.timestamp.type") == "LogAppendTime"]
    assert [topic.name for topic in stamped] == ["touchpoints"]
    assert all("sources" in topic.written_by for topic in stamped)
