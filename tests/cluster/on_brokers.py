"""Faults of a cluster of three brokers: replication 3, min.insync.replicas 2."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kafka import KafkaAdminClient, KafkaProducer
from kafka.errors import KafkaError

from schemas import topics
from schemas.errors import UnavailableError
from tests.cluster.arena import ClusterTrial
from tests.cluster.namespace import drop_packets
from tests.cluster.nodes import Node, running

TOPIC = topics.TOUCHPOINTS.name
#: How long a broker that hangs with its connections open may hold up the others' partitions.
HUNG_SECONDS = 300.0


def leader_killed(trial: ClusterTrial) -> None:
    """The leader of a partition of touchpoints is killed, three times another one's."""
    trial.feed()
    trial.wait_loading()
    for partition in range(trial.of(1, 3)):
        trial.sleep(trial.random.uniform(0.5, 2))
        leader = trial.cluster.leader_of(trial.live.settings, TOPIC, partition)
        leader.kill()
        trial.recovered()
        if trial.cluster.leader_of(trial.live.settings, TOPIC, partition) is leader:
            trial.problems.append("a dead broker still leads")
        leader.start()
        trial.cluster.await_in_sync(trial.live.settings)


def controller_killed(trial: ClusterTrial) -> None:
    """The active controller is killed, twice; another takes over."""
    trial.feed()
    trial.wait_loading()
    for _ in range(trial.of(1, 2)):
        trial.sleep(1)
        active = trial.cluster.active_controller()
        active.kill()
        killed_at = time.monotonic()
        trial.wait(lambda: _active_is_another(trial, active), "another controller", 60)  # noqa: B023 (waited for here)
        trial.notes.append(f"another controller after {time.monotonic() - killed_at:.1f} s")
        trial.recovered(killed_at)
        active.start()


def _active_is_another(trial: ClusterTrial, former: object) -> bool:
    with suppress(UnavailableError):
        return trial.cluster.active_controller() is not former
    return False


def two_of_three_gone(trial: ClusterTrial) -> None:
    """Two brokers are killed: one in-sync replica is too few, so nothing is accepted. Both come back."""
    trial.feed()
    trial.wait_loading()
    trial.sleep(1)
    gone = trial.random.sample(trial.cluster.brokers, 2)
    for broker in gone:
        broker.kill()
    trial.sleep(3)
    if _accepts(trial):
        trial.problems.append("a record was accepted by one replica of three")
    trial.sleep(trial.of(5, 15))
    for broker in gone:
        broker.launch()
    for broker in gone:
        broker.await_ready()
    trial.recovered(time.monotonic())


def _accepts(trial: ClusterTrial) -> bool:
    """Whether a record that nobody counts is accepted by all partitions' leaders within some seconds."""
    settings = trial.live.settings
    alive = ",".join(broker.address for broker in trial.cluster.brokers if running(broker))
    producer = KafkaProducer(
        bootstrap_servers=alive, acks="all", enable_idempotence=False, retries=0, request_timeout_ms=3000,
        delivery_timeout_ms=4000, max_block_ms=4000, linger_ms=0,
    )  # fmt: skip
    try:
        # no reader takes note of this topic's records while the service is not there
        producer.send(settings.topic(topics.WEBHOOK_REQUESTS.name), key=b"k", value=None, partition=0).get(5)
    except KafkaError:
        return False
    finally:
        with suppress(KafkaError):
            producer.close(timeout=1)
    return True


def slow_replica(trial: ClusterTrial) -> None:
    """A broker runs a tenth of the time, then not at all until it has left the in-sync replicas."""
    trial.feed()
    trial.wait_loading()
    slow = trial.broker()
    with _slow(slow):
        trial.sleep(trial.of(5, 15))
        trial.recovered()
    assert slow.process is not None
    slow.process.signal(signal.SIGSTOP)
    stopped_at = time.monotonic()
    try:
        trial.wait(lambda: _left_in_sync(trial, slow), "the stopped replica leaves the in-sync replicas", 60)
        trial.notes.append(f"out of the in-sync replicas after {time.monotonic() - stopped_at:.0f} s")
        # its connections stay open: clients wait for answers until their requests time out
        trial.recovered(stopped_at, HUNG_SECONDS)
    finally:
        slow.process.signal(signal.SIGCONT)
    trial.cluster.await_in_sync(trial.live.settings)
    trial.recovered()


def _left_in_sync(trial: ClusterTrial, broker: Node) -> bool:
    with suppress(UnavailableError, KafkaError):
        found = trial.cluster.partitions(trial.live.settings, TOPIC)
        return all(broker.number not in one["isr_nodes"] for one in found)
    return False


@contextmanager
def _slow(broker: Node) -> Iterator[None]:
    """Let a broker run for 50 ms of each 500 ms."""
    assert broker.process is not None
    process, ended = broker.process, threading.Event()

    def brake() -> None:
        while not ended.wait(0.05):
            process.signal(signal.SIGSTOP)
            ended.wait(0.45)
            process.signal(signal.SIGCONT)

    thread = threading.Thread(target=brake)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        process.signal(signal.SIGCONT)


def rolling_restart(trial: ClusterTrial) -> None:
    """Every node is stopped in order and started again, controllers too, while events flow."""
    trial.feed()
    trial.wait_loading()
    for node in trial.cluster.nodes():
        node.stop(60)
        trial.sleep(0.5)
        node.start()
        if isinstance(node, Node):
            trial.recovered()
            trial.cluster.await_in_sync(trial.live.settings)
    if trial.restarts:
        trial.problems.append(f"{trial.restarts} processes ended in a rolling restart: {dict(trial.crashes)}")


def partitioned(trial: ClusterTrial) -> None:
    """No packet passes between workers and one broker, which goes on leading; then they meet again."""
    trial.feed()
    trial.wait_loading()
    trial.sleep(1)
    broker = trial.cluster.leader_of(trial.live.settings, TOPIC)
    with drop_packets(broker.proxy) as how:
        trial.sleep(trial.of(SHORTEST_PARTITION, 20))
        if broker.number not in trial.cluster.partitions(trial.live.settings, TOPIC)[0]["isr_nodes"]:
            trial.problems.append("the broker left the in-sync replicas: it was to be away from workers only")
    trial.notes.append(how)
    trial.recovered(timeout=HUNG_SECONDS)


#: Longer than a session: the group's coordinator may be there.
SHORTEST_PARTITION = 9.0


def unclean_election_refused(trial: ClusterTrial) -> None:
    """All in-sync replicas die, and only one comes back that had left them before: it must not lead."""
    settings = trial.live.settings
    trial.feed()
    trial.wait_loading()
    behind = trial.broker()
    behind.kill()
    # what is acknowledged now is not on it
    trial.recovered()
    trial.wait(lambda: _left_in_sync(trial, behind), "the dead replica leaves the in-sync replicas", 60)
    others = [broker for broker in trial.cluster.brokers if broker is not behind]
    for broker in others:
        broker.kill()
    behind.start()
    refused_at = time.monotonic()
    while time.monotonic() - refused_at < trial.of(5, 10):
        trial.sleep(1)
        with suppress(UnavailableError, KafkaError):
            client = KafkaAdminClient(bootstrap_servers=behind.address, request_timeout_ms=5000)
            try:
                (described,) = client.describe_topics([settings.topic(TOPIC)])
            finally:
                client.close()
            leaders = {one["leader_id"] for one in described["partitions"]}
            if behind.number in leaders:
                trial.problems.append("a replica that was not in sync was elected")
                break
    for broker in others:
        broker.launch()
    for broker in others:
        broker.await_ready()
    trial.recovered(time.monotonic())
