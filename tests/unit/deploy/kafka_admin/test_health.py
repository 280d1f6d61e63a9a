"""What a health probe calls a problem."""

from deploy.kafka_admin.health import idle_groups, lagging
from deploy.kafka_admin.lag import Backlog
from deploy.kafka_admin.status import Status
from schemas.topics import LOADER_GROUP, WORKER_GROUP


def behind(worker: int, loader: int) -> Status:
    return Status(
        at=0,
        backlogs={
            WORKER_GROUP: [Backlog("touchpoints", 9, 9 - worker, worker)],
            LOADER_GROUP: [Backlog("journey-inputs", 9, 9 - loader, loader)],
        },
    )


def test_a_lag_at_the_bound_is_well_and_one_above_it_is_not() -> None:
    assert lagging(behind(5, 5), 5) == []
    assert lagging(behind(0, 6), 5) == [
        "consumer group touchline-loader lags 6 records behind, above --max-lag 5"
    ]
    assert lagging(Status(at=0, broker_problem="away"), 0) == []


def test_a_group_without_a_member_is_named_with_the_command_that_starts_one() -> None:
    assert idle_groups({WORKER_GROUP: 2, LOADER_GROUP: 1}) == []
    assert idle_groups({WORKER_GROUP: 0, LOADER_GROUP: 1}) == [
        "consumer group touchline-worker has no member: start `touchline worker`"
    ]


def test_missing_topics_are_a_problem_also_without_the_probe() -> None:
    assert Status(at=0, missing_topics=("p.a",)).problems == [
        "Kafka has no topic p.a: run `touchline topics`"
    ]
    assert Status(at=0, missing_topics=("p.a", "p.b")).problems == [
        "Kafka has no topic p.a and 1 more: run `touchline topics`"
    ]
