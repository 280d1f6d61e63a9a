"""The horizon on real parts: summaries freeze, survive a kill, move with a merge, and equal replay."""

import pytest

from schemas.records import Touchpoint
from tests.integration.parts import deployment, on_kafka
from tests.integration.test_pipeline import assert_live_equals, replayed, rows, send, wait_for_states
from tests.support.journeys_of import long_journey
from tests.support.touchpoints import START, touchpoint

pytestmark = pytest.mark.sandbox


def history() -> list[Touchpoint]:
    """Two cookies of 600 touchpoints each over months, and the login that shows they are one person."""
    journey = long_journey(11, 1200, owners="ab")
    last = (journey[-1]["occurred_at"] - START) // 60_000
    both = [("cookie", "a"), ("cookie", "b"), ("customer_id", "42")]
    login = touchpoint("login", type="login", ids=both, minute=last + 1)
    after = [touchpoint(f"after{n}", ids=[("cookie", "ab"[n % 2])], minute=last + 2 + n) for n in range(300)]
    return [*journey, login, *after]


@pytest.mark.soak
@on_kafka
def test_frozen_summaries_survive_a_kill_and_a_merge_and_equal_replay(broker, clickhouse, tmp_path) -> None:
    events = history()
    with deployment(broker, clickhouse, log_dir=tmp_path) as live:
        send(events[:900], live)
        wait_for_states(live)
        live.workers[0].kill()
        send(events[900:], live)
        live.workers[0].start()
        live.wait_idle()

        assert_live_equals(replayed(events, live), live)
        ((profiles, touchpoints, late),) = rows(
            live, "SELECT count(), sum(touchpoints), sum(late) FROM journeys"
        )
        assert (profiles, touchpoints, late) == (1, len(events), 0)
