"""Throughput and lateness of webhooks with one receiver: a backlog that is worked off, then signals at a steady rate.

    python -m tests.benchmarks.webhooks [SIGNALS] [PER_SECOND]

On Apache Kafka, one instance, a receiver that verifies every signature and answers at once. Lateness is from before the
signal is sent to Kafka to the receiver having it.
"""

import os
import sys
import tempfile
import time
from pathlib import Path

from deploy.sandbox import KafkaBroker
from tests.integration.webhooking import Hooks, a_signal, hooks, wait
from tests.support.ids import named_id

SECONDS = 20


def backlog(running: Hooks, count: int) -> float:
    """Messages per second while a backlog of signals of as many people is worked off."""
    running.publish(a_signal(f"b{n}", f"b{n}", "RAISED", 1) for n in range(count))
    running.start_service("--from-start")
    wait(lambda: len(running.effects()) >= count, running, seconds=600, pause=1)
    times = [line["at"] for line in running.effects()]
    return (len(times) - 1) / (times[-1] - times[0])


def steady(running: Hooks, per_second: int) -> list[float]:
    """Seconds from publication to reception, sorted."""
    before = len(running.effects())
    began: dict[str, float] = {}
    start = time.time()
    for n in range(per_second * SECONDS):
        time.sleep(max(0.0, start + n / per_second - time.time()))
        began[named_id(f"t{n}")] = time.time()
        topic, profile, value = a_signal(f"t{n}", f"t{n}", "RAISED", 1)
        running.send(topic, profile, value)
    wait(lambda: len(running.effects()) >= before + len(began), running, seconds=600, pause=1)
    arrived = running.effects()[before:]
    return sorted(line["at"] - began[line["body"]["data"]["signal"]["signal_id"]] for line in arrived)


def main(signals: str = "5000", per_second: str = "100") -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        broker = KafkaBroker(place / "kafka", place)
        broker.start()
        try:
            with hooks(broker, place) as running:
                running.start_receiver()
                rate = backlog(running, int(signals))
                late = steady(running, int(per_second))
        finally:
            broker.stop()
    parts = {f"p{p}": late[min(len(late) - 1, len(late) * p // 100)] for p in (50, 95, 99)}
    shown = ", ".join(f"{name} {seconds * 1000:.0f} ms" for name, seconds in parts.items())
    sys.stdout.write(
        f"backlog of {int(signals):,}: {rate:,.0f} messages/s\n{per_second}/s for {SECONDS} s: {shown}\n"
        f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs\n"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
