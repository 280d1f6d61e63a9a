"""Faults of a cluster of three brokers, and of the machines, once and briefly; `make cluster` plays them in full."""

import logging
from collections.abc import Iterator

import pytest

from tests.cluster.arena import ClusterArena, cluster_arena
from tests.cluster.catalogue import FAULTS
from tests.cluster.machine import NotPermittedError
from tests.cluster.suite import ClusterFault, play
from tests.faults.arena import Scale
from tests.integration.parts import skip_without_kafka

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.kafka,
    pytest.mark.soak,
    # kafka-python leaves sockets open when the broker under it is killed
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def where() -> Iterator[ClusterArena]:
    """Three brokers and a ClickHouse that may be broken, for all faults of this process."""
    skip_without_kafka()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    with cluster_arena(separate=False) as found:
        yield found


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_cluster_and_its_machines_may_fail_and_leave_no_trace(
    where: ClusterArena, fault: ClusterFault
) -> None:
    try:
        outcome = play(where, fault, fault.number, scale=Scale.SHORT)
    except NotPermittedError as error:
        pytest.skip(str(error))

    assert outcome.good, (
        f"{outcome.verdict}\n{outcome.problems}\n{outcome.crashes}\n"
        f"repeat: python -m tests.cluster --short --combined --fault {fault.name} --seed {outcome.seed}"
    )
