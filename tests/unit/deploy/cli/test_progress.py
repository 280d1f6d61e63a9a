"""What a long import shows of itself."""

import pytest

from deploy.cli.progress import clock, described
from deploy.ingest.publish_run import Summary


@pytest.mark.parametrize(
    ("seconds", "first", "read", "total", "says"),
    [
        (10, 0, 250, 1000, "25%, 5,000 lines, 500 a second, 3 rejected, 0:30 left"),
        (
            10,
            500,
            750,
            1000,
            "75%, 5,000 lines, 500 a second, 3 rejected, 0:10 left",
        ),  # resumed in the middle
        (1, 0, 250, 1000, "25%, 5,000 lines, 5,000 a second, 3 rejected"),  # too early to tell
        (10, 250, 250, 1000, "25%, 5,000 lines, 500 a second, 3 rejected"),  # nothing was read
        (10, 0, 1001, 1000, "100%, 5,000 lines, 500 a second, 3 rejected, 0:00 left"),  # the file grew
        (75, 0, 99, None, "5,000 lines, 67 a second, 3 rejected, 1:15 so far"),  # standard input
    ],
)
def test_rate_and_time_left_are_those_of_this_run(
    seconds: float, first: int, read: int, total: int | None, says: str
) -> None:
    assert described(Summary(lines=5000, rejected=3), seconds, first, read, total) == says


def test_durations_are_written_like_a_clock() -> None:
    assert [clock(seconds) for seconds in (0, 7.4, 60, 725, 11_229)] == [
        "0:00",
        "0:07",
        "1:00",
        "12:05",
        "3:07:09",
    ]
