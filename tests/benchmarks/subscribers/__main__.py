"""python -m tests.benchmarks.subscribers --profiles 20000 --rate 1000 --seconds 20 --streams 1000

The service has one core; the load, the broker and a worker that stitches touchpoints share the others.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from kafka import KafkaProducer

from deploy.ingest.publisher import publish
from deploy.kafka_admin.topics import create_topics
from deploy.sandbox import Broker, Process
from deploy.simulation.population import Population, simulate
from schemas import topics
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT, JOURNEY_SIGNAL, JOURNEY_STATE
from schemas.keys import identifier_key, partition_of, profile_key
from schemas.profile_ids import own_profile
from schemas.settings import Settings
from streams.identity.policy.load import load
from tests.benchmarks.brokers import BROKERS
from tests.benchmarks.processes import cpu_seconds, peak_mib
from tests.benchmarks.subscribers.clients import Streams, lookups
from tests.integration.parts import TOUCHLINE, Deployment
from tests.integration.serving import ServeProcess
from tests.support.kafka_records import assignment, journey, signal

_SECRET: Final = "0123456789abcdef" * 4
_EVENTS: Final = 30  #: to all streams, one at a time
_IDLE_SECONDS: Final = 5
_BURST: Final = 30  #: to all streams, at once


def main(
    profiles: Annotated[int, typer.Option(help="People in the table.")] = 20_000,
    rate: Annotated[float, typer.Option(help="Look-ups a second.")] = 1_000,
    seconds: Annotated[float, typer.Option(help="How long.")] = 20,
    streams: Annotated[int, typer.Option(help="Open streams.")] = 1_000,
    pipeline: Annotated[float, typer.Option(help="Touchpoints a second for a worker; 0: no worker.")] = 200,
    broker: Annotated[str, typer.Option(help="sandbox or kafka.")] = "sandbox",
    nice: Annotated[
        int, typer.Option(help="Niceness of service, broker and load: negative on a busy machine.")
    ] = 0,
) -> None:
    """Measure, and print a table."""
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), broker) as (live, part):
        fill(live.settings, profiles)
        service = ServeProcess(live, Path(folder), "--open")
        began = time.monotonic()
        service.start(timeout=300)
        load = f"load of this machine {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores, niceness {nice}"
        say(f"{load}, Python {sys.version.split()[0]}")
        say(f"caught up with {profiles:,} people in {time.monotonic() - began:.1f} s, process start included")
        pin(service.process, part)
        hurry(nice, pid_of(service.process), os.getpid(), *([pid_of(part.process)] if part.process else []))
        with worker(live, pipeline):
            measure_lookups(service, profiles, rate, seconds)
            measure_streams(service, live.settings, streams)
        say(f"memory of the service at most {peak_mib(pid_of(service.process))} MiB")
        service.process.stop()


def measure_lookups(service: ServeProcess, profiles: int, rate: float, seconds: float) -> None:
    """By profile id and by identifier, at a rate; the floor is /healthz, which looks nothing up."""
    ids = [f"/v1/profiles/{profile_of(number * 7919 % profiles)}" for number in range(5000)]
    cookies = [f"/v1/profiles/cookie/ck-{number * 7919 % profiles}" for number in range(5000)]
    say(
        f"\n{'look-ups, ' + format(rate, ',.0f') + ' a second':<38} {'p50 ms':>8} {'p99 ms':>8} {'CPU µs':>8} ratio"
    )
    floor, idle = 0.0, idle_share(service)
    for name, paths in {
        "nothing (/healthz)": ["/healthz"], "by profile id, all fields": ids,
        "by profile id, 3 fields": [f"{path}?fields=stage,open_issues,friction" for path in ids],
        "by identifier, all fields": cookies,
    }.items():  # fmt: skip
        began, before = time.monotonic(), cpu_seconds(pid_of(service.process))
        took, statuses = asyncio.run(lookups(service.port, paths, rate, seconds))
        assert set(statuses) == {200}, statuses
        cpu = (cpu_seconds(pid_of(service.process)) - before - idle * (time.monotonic() - began)) / len(took)
        floor = floor or cpu
        p50, p99 = statistics.quantiles(took, n=100)[49], statistics.quantiles(took, n=100)[98]
        say(f"{name:<38} {p50 * 1000:8.1f} {p99 * 1000:8.1f} {cpu * 1e6:8.0f} {cpu / floor:.2f}")


def idle_share(service: ServeProcess) -> float:
    """CPU seconds a second that the service needs to follow its topics."""
    before, at = cpu_seconds(pid_of(service.process)), time.monotonic()
    time.sleep(_IDLE_SECONDS)
    share = (cpu_seconds(pid_of(service.process)) - before) / (time.monotonic() - at)
    say(f"following the topics takes {share:.1%} of a core, which the figures below leave out")
    return share


def measure_streams(service: ServeProcess, settings: Settings, number: int) -> None:
    """From the moment at which an event is handed to a producer to the first and to the last of all streams."""

    async def run() -> None:
        streams, teller = Streams(), Teller(settings)
        # the worker raises signals, too: these are of another profile
        path = f"/v1/streams/signals?profile={signal('', 1)['profile_id']}"
        await streams.open(service.port, path, number)
        first, last, had = [], [], 0
        before = cpu_seconds(pid_of(service.process))
        for _ in range(_EVENTS):
            sent = await asyncio.to_thread(teller.tell, 1)
            had += 1
            at = sorted(await streams.until(had))
            first.append(at[0] - sent)
            last.append(at[-1] - sent)
        each = (cpu_seconds(pid_of(service.process)) - before) / _EVENTS / number
        sent = await asyncio.to_thread(teller.tell, _BURST)
        whole = max(await streams.until(had + _BURST)) - sent
        streams.close()
        teller.close()
        say(f"\n{number:,} streams of signals, an event to each")
        for name, found in (("to the first stream", first), ("to the last stream", last)):
            quantiles = statistics.quantiles(found, n=100)
            say(f"{name:<38} p50 {quantiles[49] * 1000:.0f} ms, p99 {quantiles[98] * 1000:.0f} ms")
        say(f"{'CPU for an event and a stream':<38} {each * 1e6:.0f} µs")
        say(f"{f'{_BURST} events at once':<38} {_BURST * number / whole:,.0f} deliveries a second")

    asyncio.run(run())


class Teller:
    """Publishes signals."""

    def __init__(self, settings: Settings) -> None:
        self._topic, self._partitions = settings.topic(topics.JOURNEY_SIGNALS.name), settings.partitions
        self._producer = KafkaProducer(bootstrap_servers=settings.brokers, enable_idempotence=False)
        self._producer.partitions_for(self._topic)

    def tell(self, number: int) -> float:
        """Publish so many; returns when it began."""
        at = time.monotonic()
        for count in range(number):
            said = signal(f"s{time.monotonic_ns()}-{count}", 1)
            key = profile_key(said["tenant"], said["profile_id"])
            self._producer.send(
                self._topic, JOURNEY_SIGNAL.encode(said), key, partition=partition_of(key, self._partitions)
            )
        self._producer.flush()
        return at

    def close(self) -> None:
        self._producer.close()


def fill(settings: Settings, profiles: int) -> None:
    """Publish the states of people, each with an assignment."""
    producer = KafkaProducer(bootstrap_servers=settings.brokers, enable_idempotence=False, linger_ms=50)

    def send(topic: topics.Topic, key: bytes, value: bytes) -> None:
        producer.send(
            settings.topic(topic.name), value, key, partition=partition_of(key, settings.partitions)
        )

    for number in range(profiles):
        profile, name = profile_of(number), f"ck-{number}"
        send(
            topics.JOURNEY_STATES, profile_key("default", profile), JOURNEY_STATE.encode(journey(profile, 1))
        )
        owner = assignment(name, profile, 1, correction=None)
        send(
            topics.IDENTITY_ASSIGNMENTS, identifier_key("default", owner["identifier"]),
            IDENTITY_ASSIGNMENT.encode(owner),
        )  # fmt: skip
    producer.flush()
    producer.close()


def profile_of(number: int) -> str:
    return own_profile("default", ("cookie", f"ck-{number}"))


@contextmanager
def running(folder: Path, name: str) -> Iterator[tuple[Deployment, Broker]]:
    """A broker with the topics; no ClickHouse, since no look-up asks it."""
    part = BROKERS[name](folder)
    part.start()
    settings = Settings(
        brokers=part.address, pseudonym_key=_SECRET, partitions=4, session_timeout=6.0,
        idempotent_producer=int(part.idempotent),
    )  # fmt: skip
    create_topics(settings)
    try:
        yield Deployment(settings, folder), part
    finally:
        part.stop()


@contextmanager
def worker(live: Deployment, rate: float) -> Iterator[None]:
    """A worker that is fed at this rate."""
    if not rate:
        yield
        return
    process = Process("worker", [*TOUCHLINE, "worker"], live.logs / "worker.log", live.settings.to_env())
    process.start()
    put(pid_of(process), others())
    policy = load("", live.settings.pseudonym_secret(), live.settings.pseudonym_key_id)
    people = Population(people=2000, events=1_000_000, seed=1)
    stopped = threading.Event()
    fed = takewhile(lambda _: not stopped.is_set(), simulate(people))
    feed = threading.Thread(target=publish, args=(fed, live.settings, policy), kwargs={"rate": rate})
    feed.start()
    try:
        yield
    finally:
        stopped.set()
        feed.join()
        process.stop(timeout=5)


def pin(service: Process, part: Broker) -> None:
    """The service on the first core, alone; this process and the broker on the others."""
    if len(os.sched_getaffinity(0)) > 1:
        put(pid_of(service), set(range(os.cpu_count() or 1)) - others())
        put(os.getpid(), others())
        if part.process is not None:
            put(pid_of(part.process), others())


def hurry(nice: int, *pids: int) -> None:
    """Give all threads of processes this niceness."""
    for task in (task for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()):
        os.setpriority(os.PRIO_PROCESS, int(task.name), nice)


def put(pid: int, cores: set[int]) -> None:
    """Put all threads of a process on these cores."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), cores)


def others() -> set[int]:
    allowed = set(range(os.cpu_count() or 1))
    return allowed - {min(allowed)} or allowed


def pid_of(process: Process) -> int:
    return process.pid


def say(text: Any) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    typer.run(main)
