"""`close` accepts nothing from its beginning, and tells how many of what was accepted are lost."""

import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.sdk import Publisher, Settings, TouchlineError, UnavailableError
from deploy.sdk.delivery import Delivery
from deploy.sdk.segment import Mark
from deploy.sdk.spool import Spool

EVENT = {
    "event_id": "1", "occurred_at": 1, "source": "shop", "channel": "web", "type": "page_view",
    "identifiers": {"cookie": "a"},
}  # fmt: skip
SETTINGS = Settings(brokers="127.0.0.1:1", pseudonym_key="0123456789abcdef" * 4)


@pytest.fixture(autouse=True)
def kafka_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(_: str) -> None:
        raise UnavailableError("no broker answers")

    monkeypatch.setattr("deploy.sdk.delivery.require_broker", away)


def left_in(folder: Path) -> int:
    journal = Spool(folder, 1 << 30, Mark("", ""), sync=False)
    for mark in journal.unverified:
        journal.verified(mark, None)
    count = len(journal.read(1_000_000, 1 << 30))
    journal.abandon()
    return count


def published_by_threads(publisher: Publisher, close: Callable[[], None]) -> tuple[int, set[str]]:
    """How many touchpoints four threads could publish while `close` ran, and what ended the threads."""
    accepted = [0] * 4
    ended: set[str] = set()

    def publish(thread: int) -> None:
        try:
            while True:
                publisher.publish(EVENT)
                accepted[thread] += 1
        except TouchlineError as error:
            ended.add(str(error))

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    while publisher.pending < 50:
        pass
    try:
        close()
    finally:
        for thread in threads:
            thread.join()
    return sum(accepted), ended


def test_all_that_threads_could_publish_before_close_is_in_the_number_of_the_lost() -> None:
    publisher = Publisher(SETTINGS, memory_bytes=1 << 30)
    lost: list[str] = []

    def close() -> None:
        with pytest.raises(UnavailableError) as caught:
            publisher.close(0.1)
        lost.extend(re.findall(r"^(\d+) touchpoints? lost", str(caught.value)))

    accepted, ended = published_by_threads(publisher, close)
    assert lost == [str(accepted)]
    assert ended == {"the publisher is closed: make another one"}


def test_all_that_threads_could_publish_before_close_is_in_the_spool(tmp_path: Path) -> None:
    publisher = Publisher(SETTINGS, spool=tmp_path)
    accepted, ended = published_by_threads(publisher, lambda: publisher.close(0.1))
    assert left_in(tmp_path) == accepted
    assert ended == {"the publisher is closed: make another one"}


def test_nothing_is_accepted_while_close_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = Publisher(SETTINGS)
    publisher.publish(EVENT)
    wait = Delivery.wait
    refused: list[TouchlineError] = []

    def publish_and_wait(delivery: Delivery, timeout: float) -> bool:
        with pytest.raises(TouchlineError, match="the publisher is closed") as caught:
            publisher.publish(EVENT)
        refused.append(caught.value)
        return wait(delivery, timeout)

    monkeypatch.setattr(Delivery, "wait", publish_and_wait)
    with pytest.raises(UnavailableError, match="1 touchpoint lost: 1 touchpoint not delivered, in memory"):
        publisher.close(0.01)
    assert len(refused) == 1


@pytest.mark.parametrize("spooled", [True, False])
def test_a_thread_that_was_within_publish_when_close_ended_is_told_so(spooled: bool, tmp_path: Path) -> None:
    publisher = Publisher(SETTINGS, spool=tmp_path if spooled else None)
    delivery = publisher.delivery()
    publisher.close(0.01)
    with pytest.raises(TouchlineError, match="the publisher is closed"):
        delivery.submit(b"key", b"value")


def test_close_waits_for_a_thread_that_makes_the_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = Publisher(SETTINGS)
    begun, go_on = threading.Event(), threading.Event()
    journal = publisher.new_journal

    def slowly() -> object:
        begun.set()
        go_on.wait(10)
        return journal()

    monkeypatch.setattr(publisher, "new_journal", slowly)
    running: list[Delivery] = []
    first = threading.Thread(target=lambda: running.append(publisher.delivery()))
    first.start()
    assert begun.wait(10)
    closing = threading.Thread(target=publisher.close, args=(0.01,))
    closing.start()
    closing.join(0.05)
    go_on.set()
    closing.join()
    first.join()
    assert not running[0].is_alive()


def test_two_threads_may_close(tmp_path: Path) -> None:
    publisher = Publisher(SETTINGS, spool=tmp_path)
    publisher.publish(EVENT)
    delivery = publisher.delivery()
    publisher.close(0.01)
    delivery.stop()
    publisher.close(0.01)
    assert left_in(tmp_path) == 1


def test_a_publisher_that_gets_no_thread_accepts_nothing_and_leaves_the_spool_to_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = Publisher(SETTINGS, spool=tmp_path)

    def fail(_: Delivery) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(Delivery, "start", fail)
        for _ in range(2):
            with pytest.raises(UnavailableError, match="can't start new thread"):
                publisher.publish(EVENT)
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    publisher.publish(EVENT)
    publisher.close(0.01)
    assert left_in(tmp_path) == 1
