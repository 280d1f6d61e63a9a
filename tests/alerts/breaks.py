"""What breaks each thing. A break is a context: the thing is broken inside it and mended when it is left."""

import http.client
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from deploy.ports import LOOPBACK
from schemas.topics import JOURNEY_STATES, TOUCHPOINTS
from sinks.clickhouse.connection import connect
from tests.alerts.scene import Scene
from tests.support.http_serving import QuietHandler, serving


@dataclass(frozen=True)
class Break:
    """What is broken, and the alerts that must fire while it is and be quiet some time after it is mended."""

    title: str
    alerts: tuple[str, ...]
    broken: Callable[[Scene], AbstractContextManager[None]]


@contextmanager
def _repeating(action: Callable[[], object], pause: float) -> Iterator[None]:
    """Do something again and again, in a thread, for a while."""
    going = threading.Event()
    going.set()

    def run() -> None:
        while going.is_set():
            with suppress(OSError, http.client.HTTPException):
                action()
            time.sleep(pause)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        going.clear()
        thread.join(60)


def _post(scene: Scene, event: object) -> None:
    connection = http.client.HTTPConnection(LOOPBACK, scene.collector_port, timeout=20)
    try:
        connection.request("POST", "/v1/touchpoints", json.dumps(event), {"Content-Type": "application/json"})
        connection.getresponse().read()
    finally:
        connection.close()


def _event(number: int) -> dict[str, object]:
    return {
        "event_id": f"post-{number}-{time.time_ns()}", "occurred_at": int(time.time() * 1000), "source": "shop",
        "channel": "web", "type": "product_view", "identifiers": {"cookie": f"post-{number}"},
    }  # fmt: skip


@contextmanager
def clickhouse_away(scene: Scene) -> Iterator[None]:
    """After a first reconciliation: a loader that has never done one has no gauge, and its alert stays silent."""
    reconciled = 'touchline_loader_reconciled_until_seconds{name="loader"} > 0'
    scene.wait(lambda: len(scene.prometheus.ask(reconciled)) == 2, "a first reconciliation")
    scene.arena.clickhouse_proxy.refuse()
    try:
        with scene.feeding(150):
            yield
    finally:
        scene.arena.clickhouse_proxy.calm()


@contextmanager
def kafka_silent(scene: Scene) -> Iterator[None]:
    with ExitStack() as stack:
        stack.enter_context(scene.feeding(100))
        for number in range(4):
            stack.enter_context(_repeating(lambda number=number: _post(scene, _event(number)), 0.2))  # type: ignore[misc]
        time.sleep(3)  # all are at work
        scene.arena.kafka_proxy.stall()
        try:
            yield
        finally:
            scene.arena.kafka_proxy.calm()


@contextmanager
def worker_slow(scene: Scene) -> Iterator[None]:
    with scene.weak("slow-stitch"), scene.feeding(100):
        yield


@contextmanager
def journeys_slow(scene: Scene) -> Iterator[None]:
    with scene.weak("slow-journeys"), scene.feeding(20):
        yield


@contextmanager
def identity_slow(scene: Scene) -> Iterator[None]:
    with scene.weak("slow-identity"), scene.feeding(20):
        yield


@contextmanager
def bug(scene: Scene) -> Iterator[None]:
    with scene.weak("bug"), scene.feeding(5):
        yield


@contextmanager
def poison(scene: Scene) -> Iterator[None]:
    scene.produce(TOUCHPOINTS.name, b"\xc3\x01 not a touchpoint")
    yield


@contextmanager
def forged_state(scene: Scene) -> Iterator[None]:
    scene.produce(JOURNEY_STATES.name, b"\xc3\x01 not a state")
    yield


@contextmanager
def refused_events(scene: Scene) -> Iterator[None]:
    with _repeating(lambda: _post(scene, {"event_id": "without anything else"}), 0.1):
        yield


@contextmanager
def loader_killed(scene: Scene) -> Iterator[None]:
    loader = scene.processes["loader"]
    loader.kill()
    try:
        yield
    finally:
        loader.start()


@contextmanager
def crash_loop(scene: Scene) -> Iterator[None]:
    """The collector, which starts fastest, ends again as soon as Prometheus has seen it."""
    collector = scene.processes["collector"]

    def again() -> None:
        started = scene.prometheus.ask(asked)
        collector.kill()
        collector.start()
        scene.wait(lambda: _values(scene.prometheus.ask(asked)) - _values(started), "the collector", 60)

    asked = 'process_start_time_seconds{name="collector"}'
    try:
        with _repeating(again, 0.1):
            yield
    finally:
        collector.start()


def _values(answer: list[Any]) -> set[str]:
    return {str(one["value"][1]) for one in answer}


@contextmanager
def held_up(scene: Scene) -> Iterator[None]:
    """The page's event loop stands still for three seconds of five."""
    page = scene.processes["page"]

    def hold() -> None:
        page.signal(signal.SIGSTOP)
        time.sleep(3)
        page.signal(signal.SIGCONT)

    try:
        with _repeating(hold, 2.0):
            yield
    finally:
        page.signal(signal.SIGCONT)


@contextmanager
def refused_links(scene: Scene) -> Iterator[None]:
    """Eight people with two loyalty ids each, where a policy allows one."""
    for number in range(8):
        for which in "ab":
            ids = (("user_key", f"full-{number}"), ("loyalty_id", f"full-{number}-{which}"))
            scene.send(scene.newcomer(*ids))
    yield


@contextmanager
def many_parts(scene: Scene) -> Iterator[None]:
    """700 parts that nobody merges; the loader looks every 30 seconds."""
    client = connect(scene.settings.clickhouse(), {"async_insert": 0})
    try:
        client.execute(
            "CREATE TABLE many (n Int32) ENGINE = MergeTree ORDER BY n SETTINGS parts_to_delay_insert = 5000"
        )
        client.execute("SYSTEM STOP MERGES many")
        for first in range(0, 700, 100):
            client.execute(
                f"INSERT INTO many SELECT number FROM numbers({first}, 100) SETTINGS max_block_size = 1,"
                " min_insert_block_size_rows = 1, min_insert_block_size_bytes = 1, max_insert_threads = 1"
            )
        yield
    finally:
        client.execute("DROP TABLE IF EXISTS many")
        client.disconnect()


@contextmanager
def stranger(scene: Scene) -> Iterator[None]:
    """A second collector with another identity policy."""
    other = scene.processes["stranger"]
    other.start()
    scene.watch("stranger")
    try:
        yield
    finally:
        scene.watch()
        other.stop()


class _Gone(QuietHandler):
    """A receiver that fails."""

    def respond(self) -> None:
        self.body()
        self.answer(500)


class _Well(QuietHandler):
    """A receiver that takes everything."""

    def respond(self) -> None:
        self.body()
        self.answer(200)


@contextmanager
def receiver_fails(scene: Scene) -> Iterator[None]:
    people = [(("cookie", f"hook-{number}"),) for number in range(5)]
    scene.send(*(scene.newcomer(*ids) for ids in people))
    time.sleep(5)  # the first stage of a person is not told, the next one is
    scene.send(*(scene.newcomer(*ids, type="order_placed") for ids in people))
    with serving(_Gone, scene.receiver_port):
        yield
    scene.mended.enter_context(serving(_Well, scene.receiver_port))  # the outbox empties


BREAKS = (
    Break("a process is killed", ("TouchlineProcessDown",), loader_killed),
    Break("records that cannot be read", ("TouchlineDeadLetters",), poison),
    Break("something else writes journey states", ("TouchlineLoaderDeadLetters",), forged_state),
    Break("a source breaks the contract", ("TouchlineCollectorRefuses",), refused_events),
    Break("a bug", ("TouchlineBug", "TouchlineErrorsLogged"), bug),
    Break("limits refuse links", ("TouchlineQuarantine",), refused_links),
    Break("a process goes by another policy", ("TouchlineSettingsDiffer",), stranger),
    Break("identity is slow", ("TouchlineDecisionsLate",), identity_slow),
    Break("journeys are slow", ("TouchlineStatesLate",), journeys_slow),
    Break("the worker is slower than its sources", ("TouchlineWorkerLag",), worker_slow),
    Break(
        "Kafka accepts connections and says nothing",
        (
            "TouchlineKafkaDoesNotAcknowledge", "TouchlineWorkerStalled", "TouchlineCollectorFails",
            "TouchlineTableStale",
        ),
        kafka_silent,
    ),
    Break(
        "ClickHouse is away",
        (
            "TouchlineLoaderStalled", "TouchlinePageBlind", "TouchlineReconciliationBehind", "TouchlineLoaderLag",
            "TouchlineNotReady",
        ),
        clickhouse_away,
    ),
    Break("ClickHouse merges nothing", ("TouchlineManyParts",), many_parts),
    Break("an endpoint fails", ("TouchlineWebhookHeldBack",), receiver_fails),
    Break("an event loop is held up", ("TouchlineEventLoopHeldUp",), held_up),
    Break("a process ends again and again", ("TouchlineRestarts",), crash_loop),
)  # fmt: skip
