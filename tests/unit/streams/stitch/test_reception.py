"""When a touchpoint was received is for the edge to say, not for its source."""

import pytest

from schemas.encoding.record_types import TOUCHPOINT
from schemas.errors import ContractError
from schemas.keys import identifier_key
from schemas.records import Touchpoint
from streams.stitch.agent import Stitch
from streams.stitch.stitching import StitchState
from tests.support.agents import Record, worker_app
from tests.support.built_in import CATALOGUE, POLICY
from tests.support.touchpoints import START, touchpoint
from tests.support.transactions import transaction_over

HOUR = 3_600_000
CREATE_TIME, LOG_APPEND_TIME = 0, 1


class Broker:
    """What stitch makes of a record that comes at `now`."""

    def __init__(self, now: int) -> None:
        self.app = worker_app()
        self.stitch = Stitch(self.app, POLICY, CATALOGUE, clock=lambda: now / 1000)

    def placed(self, event: Touchpoint, timestamp: int = 0, timestamp_type: int = CREATE_TIME) -> Touchpoint:
        placed = self.stitch.accept(
            Record(
                key=identifier_key("default", event["identifiers"][0]), value=TOUCHPOINT.encode(event),
                timestamp=timestamp, timestamp_type=timestamp_type,
            ),
            transaction_over(self.app, StitchState()), set(),
        )  # fmt: skip
        assert placed is not None
        return TOUCHPOINT.decode(placed.value)


def refused(broker: Broker, event: Touchpoint, **record: int) -> str:
    with pytest.raises(Exception, match="after it was received") as error:
        broker.placed(event, **record)
    return error.value.reason.value  # type: ignore[attr-defined,no-any-return]


def test_a_reception_that_is_past_stays() -> None:
    event = touchpoint(received_at=START)
    assert Broker(START + HOUR).placed(event) == event


def test_a_reception_ahead_of_the_workers_clock_is_now() -> None:
    event = touchpoint(received_at=START + 5 * HOUR)
    assert Broker(START + HOUR).placed(event)["received_at"] == START + HOUR


def test_a_touchpoint_of_2099_is_refused_whatever_reception_its_source_states() -> None:
    in_2099 = START + 73 * 365 * 24 * HOUR
    assert refused(Broker(START), touchpoint(occurred_at=in_2099, received_at=in_2099)) == "FUTURE_TIME"


def test_the_producers_stamp_does_not_vouch_for_a_reception() -> None:
    later = START + 48 * HOUR
    event = touchpoint(occurred_at=later, received_at=later)
    assert refused(Broker(START), event, timestamp=later, timestamp_type=CREATE_TIME) == "FUTURE_TIME"


def test_the_brokers_stamp_does_so_that_reading_again_later_decides_alike() -> None:
    later = START + 48 * HOUR
    event = touchpoint(occurred_at=later, received_at=later)
    much_later = Broker(START + 1000 * HOUR)
    assert refused(much_later, event, timestamp=START, timestamp_type=LOG_APPEND_TIME) == "FUTURE_TIME"
    capped = much_later.placed(
        touchpoint(received_at=START + HOUR), timestamp=START, timestamp_type=LOG_APPEND_TIME
    )
    assert capped["received_at"] == START


def test_a_time_in_seconds_is_refused_in_avro_too() -> None:
    with pytest.raises(
        ContractError, match="occurred_at 1767225600 is a time in seconds: write milliseconds"
    ):
        Broker(START).placed(touchpoint(occurred_at=START // 1000))


def test_a_worker_whose_clock_is_behind_dates_nothing_back_that_a_broker_has_stamped() -> None:
    event = touchpoint(occurred_at=START, received_at=START)
    behind = Broker(START - HOUR)
    assert behind.placed(event, timestamp=START, timestamp_type=LOG_APPEND_TIME) == event
    # why the topic is stamped (schemas/topics.py): without a stamp the worker's clock counts
    assert behind.placed(event, timestamp=START, timestamp_type=CREATE_TIME)["occurred_at"] == START - HOUR
