"""Faults of the suite, once and briefly; `make faults` plays them in full, with their control arms.

Two run by default: a worker and a loader that die. `make soak` plays the others.
"""

import logging
from collections.abc import Iterator

import pytest
from _pytest.mark import ParameterSet

from tests.faults.arena import Arena, Scale, arena
from tests.faults.catalogue import FAULTS, Fault
from tests.faults.suite import play
from tests.integration.parts import skip_without_kafka

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.kafka,
    # kafka-python leaves sockets open when the broker under it is killed
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


#: Numbers of the faults that run by default.
ALWAYS = {1, 2}


def marked(fault: Fault) -> ParameterSet:
    marks = () if fault.number in ALWAYS else pytest.mark.soak
    return pytest.param(fault, marks=marks, id=f"{fault.number}-{fault.title}")


@pytest.fixture(scope="module")
def where() -> Iterator[Arena]:
    """A Kafka and a ClickHouse that may be broken, for all faults of this process."""
    skip_without_kafka()
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    with arena() as found:
        yield found


@pytest.mark.parametrize("fault", [marked(fault) for fault in FAULTS])
def test_a_fault_leaves_no_trace(where: Arena, fault: Fault) -> None:
    outcome = play(where, fault, fault.number, scale=Scale.SHORT)

    assert outcome.good, (
        f"{outcome.verdict}\n{outcome.problems}\n{outcome.crashes}\n"
        f"repeat: python -m tests.faults --short --fault {fault.number} --seed {outcome.seed} --no-control"
    )
