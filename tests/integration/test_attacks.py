"""A bystander in another tenant hardly notices attacks, and the worker stays small. `make attacks` plays more."""

import pytest

from tests.attacks.trial import play

pytestmark = [pytest.mark.sandbox, pytest.mark.soak]

#: MiB that a worker may take above what it took before. Each flood alone is larger, or was kept several times over.
MOST_MEMORY = 200
#: Seconds: far above what a bystander waits on a machine of its own, and far below the minutes that it once waited.
MOST_SECONDS = 30.0


@pytest.mark.parametrize(
    ("name", "size"), [("limit", 1_000), ("spread", 1_000), ("big", 300), ("heavy", 500)]
)
def test_a_bystander_is_served_beside_an_attack(name: str, size: int) -> None:
    report = play(name, size, minutes=5.0)
    assert report.worked_off
    assert report.restarts == 0
    assert report.unanswered == 0
    assert report.worker_peak - report.worker_before < MOST_MEMORY
    for kind, (_, slow, _) in report.attacked.items():
        assert slow is not None, kind
        assert slow < MOST_SECONDS, f"{kind}: {report.to_dict()}"


def test_deadlines_that_fall_due_together_let_inputs_through() -> None:
    report = play("carts", 10_000, minutes=5.0)
    assert report.restarts == report.unanswered == 0
    assert report.due is not None
    for kind, (_, slow, _) in report.due.items():
        assert slow is not None, kind
        assert slow < MOST_SECONDS, f"{kind}: {report.to_dict()}"
