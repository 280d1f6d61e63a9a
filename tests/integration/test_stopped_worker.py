"""A worker is stopped between a deadline and its signal, past its session; its successor dies before it can notice."""

import logging
import signal
import time
from collections.abc import Iterator

import pytest

from deploy.sandbox import kafka_jars
from schemas.topics import JOURNEY_SIGNALS
from tests.faults.arena import Arena, Scale, Trial, arena, trial
from tests.faults.kafka import values
from tests.faults.on_workers import is_stopped
from tests.support.subscriber import Subscriber
from tests.support.touchpoints import touchpoint

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.kafka,
    pytest.mark.soak,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
PEOPLE = 12  #: so that either worker has some
ABANDONED = "abandoned_cart"


@pytest.fixture(scope="module")
def where() -> Iterator[Arena]:
    missing = kafka_jars.missing_programs()
    if missing:
        pytest.skip(f"Apache Kafka needs {' and '.join(missing)} on PATH")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    with arena() as found:
        yield found


def abandoned(running: Trial) -> set[str]:
    """The profiles whose cart is abandoned as far as subscribers know."""
    told = Subscriber().read(values(running.live.settings, JOURNEY_SIGNALS.name)).holding()
    return {one["profile_id"] for one in told if one["kind"] == ABANDONED}


def publish(running: Trial, name: str, minute: int, type_: str) -> None:
    events = [
        touchpoint(f"{name}-{person}", minute=minute, type=type_, ids=[("cookie", f"p{person}")])
        for person in range(PEOPLE)
    ]
    running.events += events
    with running.producer() as send:
        for event in events:
            send(event)


def test_no_signal_stays_that_does_not_hold(where: Arena) -> None:
    variant = ("stops_before_it_raises",)
    with trial(where, 1, 10, workers=2, worker=variant, scale=Scale.SHORT) as running:
        running.events.clear()
        running.wait_idle()
        running.aims.aim("stop")
        publish(running, "cart", 0, "add_to_cart")
        running.wait(lambda: any(map(is_stopped, running.live.workers)), "a worker that stops at a deadline")
        (zombie,) = filter(is_stopped, running.live.workers)
        (owner,) = (worker for worker in running.live.workers if worker is not zombie)
        # before the successor has waited long enough to raise the signal itself
        publish(running, "order", 1, "order_placed")
        running.wait_idle()
        assert is_stopped(zombie)
        assert abandoned(running) == set()

        zombie.signal(signal.SIGCONT)
        time.sleep(0.4)
        owner.kill()
        running.sleep(1)
        running.recovered()
        running.wait_idle()

        assert abandoned(running) == set()
        assert not running.aims.lasts("stop")
