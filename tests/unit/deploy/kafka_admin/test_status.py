"""What a look at a deployment says, and how it is shown."""

from rich.console import Console

from deploy.kafka_admin.lag import Backlog, groups
from deploy.kafka_admin.status import Status
from deploy.screens.deployment.display import Rates, line, rates, table
from schemas.topics import ALL, LOADER_GROUP, WORKER_GROUP


def look(at: float, published: int, processed: int, loaded: int = 0) -> Status:
    backlogs = {
        WORKER_GROUP: [Backlog("touchpoints", published, processed, published - processed)],
        LOADER_GROUP: [Backlog("journey-inputs", processed, loaded, processed - loaded)],
    }
    return Status(at=at, backlogs=backlogs, profiles=3, open_signals=2, merges=1, dead_letters=0)


def test_rates_are_differences_by_seconds() -> None:
    assert rates(look(10, 0, 0), look(12, 400, 300, 200)) == Rates(200, 150, 100)


def test_the_first_look_and_a_broker_that_is_away_have_no_rates() -> None:
    assert rates(None, look(1, 5, 5)) == Rates()
    assert rates(look(1, 5, 5), Status(at=2, broker_problem="away")) == Rates()


def test_a_status_is_idle_only_when_every_group_has_read_everything() -> None:
    assert look(0, 10, 10, 10).idle
    assert not look(0, 10, 9, 9).idle
    assert not look(0, 10, 10, 9).idle
    assert not Status(at=0, broker_problem="away").idle


def test_lag_is_the_sum_over_a_groups_topics_and_unknown_without_a_broker() -> None:
    assert look(0, 10, 4, 1).lag(WORKER_GROUP) == 6
    assert look(0, 10, 4, 1).lag(LOADER_GROUP) == 3
    assert Status(at=0).lag(WORKER_GROUP) is None


def test_the_line_shows_what_is_known_and_a_question_mark_for_the_rest() -> None:
    shown = line(look(0, 12_000, 10_000), Rates(published=1234.5), restarts=2)
    assert "published 12,000 (1,234/s)" in shown
    assert "lag worker 2,000 loader 10,000" in shown
    assert shown.endswith("restarts 2")
    away = line(Status(at=0, broker_problem="no broker"), Rates(), restarts=0)
    assert away.startswith("published ? (?/s)")
    assert away.endswith("no broker")


def test_the_table_shows_counts_and_problems() -> None:
    console = Console(record=True, width=100)
    with console.capture() as capture:
        console.print(table(look(0, 12_000, 10_000), Rates(), restarts=0))
        console.print(table(Status(at=0, clickhouse_problem="ClickHouse is away"), Rates(), restarts=1))
    shown = capture.get()
    assert "12,000" in shown
    assert "open signals" in shown
    assert "ClickHouse is away" in shown


def test_every_topic_that_a_process_reads_is_counted_for_its_group() -> None:
    readers = groups()
    for topic in ALL:
        if topic.name.endswith("-changelog"):
            continue
        assert (topic in readers[LOADER_GROUP]) == ("loader" in topic.read_by)
        assert (topic in readers[WORKER_GROUP]) == bool(
            {"stitch", "identity", "journeys", "accounts"} & set(topic.read_by)
        )
