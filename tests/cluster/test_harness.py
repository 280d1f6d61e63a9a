"""The harness of the cluster's faults: nodes, clocks, disks, events that happen now, and the table."""

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.cluster.catalogue import BY_NAME, FAULTS
from tests.cluster.clocks import stamped_now
from tests.cluster.machine import NotPermittedError, disk, shifted
from tests.cluster.nodes import Cluster, laid_over
from tests.cluster.report import rows
from tests.faults import catalogue
from tests.faults.proxy import Proxy
from tests.faults.suite import Outcome
from tests.support.touchpoints import touchpoint

TWO_WAITS = """
import threading, time
began = time.monotonic()
time.sleep(0.1)
threading.Event().wait(0.1)
print(time.time(), time.monotonic() - began)
"""


class _Door(Proxy):
    """A proxy that nobody enters: it opens no event loop."""

    def __init__(self, number: int) -> None:
        self.target, self.port = 40_000 + number, 41_000 + number


def properties(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))


def test_properties_are_replaced_added_and_left_out() -> None:
    assert properties(laid_over("# why\na=1\nb=2\nc=3\n", {"b": "5", "d": "6"}, without=("c",))) == {
        "a": "1", "b": "5", "d": "6"
    }  # fmt: skip


@pytest.mark.parametrize("separate", [True, False])
def test_every_node_knows_the_same_controllers_and_replicates_three_times(
    tmp_path: Path, *, separate: bool
) -> None:
    cluster = Cluster(tmp_path, tmp_path, [_Door(number) for number in range(3)], separate=separate)
    found = [properties(node.properties()) for node in cluster.nodes()]
    assert len({one["controller.quorum.voters"] for one in found}) == 1
    assert len({one["node.id"] for one in found}) == len(found)
    roles = Counter(one["process.roles"] for one in found)
    assert roles == ({"controller": 3, "broker": 3} if separate else {"broker,controller": 3})
    for one in found:
        assert one["unclean.leader.election.enable"] == "false"
        assert (one["min.insync.replicas"], one["offsets.topic.replication.factor"]) == ("2", "3")


@pytest.mark.parametrize("shift", [3600, -3600])
def test_a_shifted_clock_is_wrong_and_durations_stay_right(tmp_path: Path, shift: int) -> None:
    try:
        env = shifted(shift, tmp_path)
    except NotPermittedError as error:
        pytest.skip(str(error))
    done = subprocess.run(
        [sys.executable, "-c", TWO_WAITS],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=True,
    )
    says, waited = map(float, done.stdout.split())
    assert abs(says - time.time() - shift) < 60
    assert 0.2 <= waited < 30


def test_a_small_disk_takes_what_a_folder_holds_fills_up_and_gives_it_back(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "old").write_text("kept")
    try:
        with disk(folder, 2) as small:
            assert (folder / "old").read_text() == "kept"
            small.fill()
            assert small.left == 0
            with pytest.raises(OSError, match="No space left"):
                (folder / "new").write_bytes(bytes(8192))
            small.free()
            (folder / "new").write_bytes(bytes(8192))
    except NotPermittedError as error:
        pytest.skip(str(error))
    assert sorted(path.name for path in folder.iterdir()) == ["new", "old"]


def test_events_that_happen_now_stay_in_order_and_copies_stay_alike() -> None:
    event, other = touchpoint("a"), touchpoint("b")
    first, second, copy = stamped_now([event, other, event], rate=10)
    assert copy == first
    assert second["occurred_at"] - first["occurred_at"] == 100
    assert abs(first["received_at"] - time.time() * 1000) < 60_000


def test_the_faults_numbers_are_no_others() -> None:
    numbers = [fault.number for fault in FAULTS]
    assert len({*numbers, *(fault.number for fault in catalogue.FAULTS)}) == len(numbers) + len(
        catalogue.FAULTS
    )
    assert len(BY_NAME) == len(FAULTS)


def test_a_trial_that_came_to_no_end_counts_as_wrong_in_the_table() -> None:
    stuck = Outcome(31, "leader", 1, "", None, problems=["recovery not within 120 s"])
    assert rows([stuck])[0][:6] == ("31 leader", "0", "1", "0", "0", "1")
