"""What subscribers may have heard of a fetch that a crash cut off is retracted unless it holds."""

from collections.abc import Callable

from streams.journeys.agent import IDLE_SECONDS
from streams.journeys.changelog_keys import Kind
from tests.support.journeys import HOUR
from tests.unit.streams.journeys.test_deadlines import (
    CART,
    NOW,
    ORDER,
    Published,
    Worker,
    somebody_else,
    told,
)

UP_TO_THE_CHANGELOG = 2  #: what is about to be raised, and the outputs


def cut_off(broker: Published, work: Callable[[], None], after: int = UP_TO_THE_CHANGELOG) -> None:
    broker.fails_at = after
    try:
        work()
    except ConnectionError:
        broker.fails_at = None
        return
    raise AssertionError("nothing was cut off")


def written_ahead(broker: Published) -> list[bytes]:
    newest = dict(broker.changelog)
    return [key for key, value in newest.items() if Kind.WRITE_AHEAD in key and value is not None]


def versions(broker: Published) -> list[int]:
    return [signal["version"] for signal in broker.signals if signal["kind"] == "abandoned_cart"]


def test_what_a_cut_off_fetch_raised_and_the_longer_repeated_one_contradicts_is_retracted() -> None:
    broker = Published()
    cut_off(broker, lambda: Worker(broker, NOW).take(CART, somebody_else(99)))
    assert told(broker) == ["RAISED"]
    Worker(broker, NOW).take(CART, somebody_else(99), ORDER)
    assert told(broker) == ["RAISED", "RETRACTED"]
    assert versions(broker) == sorted(set(versions(broker)))
    assert written_ahead(broker) == []


def test_a_shorter_repeated_fetch_leaves_the_decision_to_the_one_that_can_win() -> None:
    broker = Published()
    cut_off(broker, lambda: Worker(broker, NOW).take(CART, CART, somebody_else(99)))
    again = Worker(broker, NOW)
    again.take(CART)
    again.take(CART, somebody_else(99), ORDER, offset=1)
    assert told(broker)[-1] == "RETRACTED"
    assert versions(broker)[-1] == max(versions(broker))


def test_what_the_clock_raised_before_a_crash_is_retracted_by_an_input_after_it() -> None:
    broker = Published()
    worker = Worker(broker, NOW)
    worker.take(CART)
    cut_off(broker, lambda: worker.tick(IDLE_SECONDS + 1))
    assert told(broker) == ["RAISED"]
    Worker(broker, NOW).take(ORDER, offset=1)
    assert told(broker) == ["RAISED", "RETRACTED"]
    assert versions(broker) == sorted(set(versions(broker)))


def test_what_the_clock_raised_before_a_crash_is_decided_at_once_after_it() -> None:
    broker = Published()
    worker = Worker(broker, NOW)
    worker.take(CART)
    cut_off(broker, lambda: worker.tick(IDLE_SECONDS + 1))
    assert len(written_ahead(broker)) == 1
    Worker(broker, NOW + HOUR).tick()
    assert told(broker) == ["RAISED", "RAISED"]
    assert written_ahead(broker) == []


def test_a_raise_that_did_not_get_out_is_made_up_for() -> None:
    broker = Published()
    cut_off(broker, lambda: Worker(broker, NOW).take(CART, somebody_else(99)), after=1)
    assert told(broker) == []
    Worker(broker, NOW).take(CART, somebody_else(99))
    assert told(broker) == ["RAISED"]
    assert written_ahead(broker) == []
