"""Faults of disks: a broker's, the workers' checkpoints' and ClickHouse's are full, and have room again."""

import time
from typing import Final

from schemas import topics
from tests.cluster.arena import ClusterTrial
from tests.cluster.clocks import sentence
from tests.cluster.machine import disk
from tests.faults.trial import CLICKHOUSE

#: Enough for what a trial writes, and for the index files that Kafka allots in advance (they are mostly holes).
KAFKA_MIB: Final = 400
CLICKHOUSE_MIB: Final = 700
CHECKPOINTS_MIB: Final = 64


def kafka_full(trial: ClusterTrial) -> None:
    """The disk of one broker of three fills up: it ends, the others go on; with room again it comes back."""
    broker = trial.cluster.leader_of(trial.live.settings, topics.TOUCHPOINTS.name)
    broker.stop(60)
    with disk(broker.data_dir, KAFKA_MIB) as small:
        broker.start()
        trial.cluster.await_in_sync(trial.live.settings)
        trial.feed()
        trial.wait_loading()
        small.fill()
        filled_at = time.monotonic()
        assert broker.process is not None
        process = broker.process
        trial.wait(lambda: not process.alive, "the broker whose disk is full ends", 120)
        trial.notes.append(f"the broker ended {time.monotonic() - filled_at:.0f} s after its disk was full")
        trial.recovered(filled_at)
        small.free()
        broker.start()
        trial.cluster.await_in_sync(trial.live.settings)
        trial.recovered()
        trial.join()
        broker.stop(60)
    broker.start()
    trial.cluster.await_in_sync(trial.live.settings)


def checkpoints_full(trial: ClusterTrial) -> None:
    """The folder of checkpoints is full: workers say so and go on without; with room again they write them."""
    folder = trial.live.logs / "checkpoints"
    with disk(folder, CHECKPOINTS_MIB) as small:
        small.fill()
        trial.start()
        trial.feed()
        trial.wait_loading()
        trial.wait(
            lambda: trial.said("cannot be written"), "a worker that says that it has no checkpoint", 60
        )
        trial.notes.append(sentence(trial, "cannot be written"))
        trial.recovered()
        if left := [path.name for path in folder.iterdir() if path.name != "filler"]:
            trial.problems.append(f"a full disk is left with {left[:3]}")
        small.free()
        freed_at = time.monotonic()
        trial.send_probes()
        trial.wait(lambda: any(folder.glob("*.checkpoint")), "a checkpoint", 60)
        trial.notes.append(f"the next checkpoint {time.monotonic() - freed_at:.0f} s after there was room")
        trial.join()
        trial.wait_idle()
        for worker in trial.live.workers:
            worker.kill()
        trial.recovered()
        if trial.said("is refused"):
            trial.problems.append(sentence(trial, "is refused"))
        trial.wait_idle()
        for worker in trial.live.workers:
            trial.resting.add(worker.name)
            worker.stop()
    trial.resting.clear()


def clickhouse_full(trial: ClusterTrial) -> None:
    """ClickHouse's disk fills up: the loader says so and holds the data back; with room again all of it comes in."""
    server = trial.where.clickhouse
    trial.resting.add(CLICKHOUSE)
    server.stop()
    with disk(server.data_dir, CLICKHOUSE_MIB) as small:
        server.start()
        trial.resting.discard(CLICKHOUSE)
        trial.start()
        trial.feed()
        trial.wait_loading()
        small.fill()
        trial.send_probes()
        trial.wait(
            lambda: trial.said("holding the data back"), "the loader says that it holds the data back", 90
        )
        trial.notes.append(sentence(trial, "holding the data back"))
        trial.sleep(trial.of(3, 10))
        small.free()
        trial.recovered(time.monotonic())
        trial.join()
        trial.wait_idle()
        trial.resting.add(CLICKHOUSE)
        server.stop()
    server.start()
    trial.resting.discard(CLICKHOUSE)
    trial.recovered()
