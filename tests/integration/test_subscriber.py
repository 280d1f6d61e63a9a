"""A service that follows `journey-signals` as documented holds what replay says, after merges and splits."""

import time
from random import Random

import pytest

from schemas import topics
from tests.integration.parts import Deployment, deployment
from tests.integration.test_erasure import records_of
from tests.integration.test_pipeline import replayed, send, simulated
from tests.support.subscriber import Subscriber
from tests.support.touchpoints import touchpoint

pytestmark = pytest.mark.sandbox

Signals = set[tuple[str, str, str]]  #: profile, kind, what it is about


def subscribed(live: Deployment) -> Signals:
    read = Subscriber().read(record.value for record in records_of(live, topics.JOURNEY_SIGNALS))
    return {(s["profile_id"], s["kind"], s["subject_id"]) for s in read.holding()}


@pytest.mark.soak
def test_who_follows_the_signals_as_documented_holds_what_replay_says(kafka, clickhouse, tmp_path) -> None:
    events = simulated(people=120, events=4_000, seed=3)
    newest = max(event["occurred_at"] for event in events)
    forgotten = [event["identifiers"][-1] for event in events[100:2000:400]]
    requests = [
        touchpoint(f"erase-{number}", type="erasure_requested", identifiers=[identifier], source="privacy")
        | {"occurred_at": newest + number, "received_at": newest + number}
        for number, identifier in enumerate(forgotten)
    ]
    # as a back-fill that nobody sorted: most people become one only after their signals were raised
    shuffled = events.copy()
    Random(4).shuffle(shuffled)
    with deployment(kafka, clickhouse, workers=2, log_dir=tmp_path) as live:
        for start in range(0, len(shuffled), 500):
            send(shuffled[start : start + 500], live)
            if start % 1000 == 0:
                live.wait_idle()
        live.workers[0].kill()
        live.start_worker()
        send(requests, live)  # type: ignore[arg-type]
        live.wait_idle()

        replay = replayed([*events, *requests], live)  # type: ignore[list-item]
        now = round(time.time() * 1000)
        expected = {(s["profile_id"], s["kind"], s["subject_id"]) for s in replay.signals(now)}
        deadline = time.monotonic() + 60
        while (held := subscribed(live)) != expected and time.monotonic() < deadline:
            time.sleep(2)
        assert held == expected
        assert sum(1 for _ in replay.changes()) > 100

        told = live.query("SELECT DISTINCT reason FROM raw_journey_signals WHERE status = 'RETRACTED'")
        # whether an erasure comes before or after its person's signals is up to the workers
        assert (
            {("CONTRADICTED",), ("MOVED",)}
            <= set(told)
            <= {("CONTRADICTED",), ("MOVED",), ("ERASED",), ("LET_GO",)}
        )
        counted = live.query(
            "SELECT count(), uniqExact(signal_id), uniqExact(profile_id, kind, subject_id) FROM signals_open"
        )
        assert counted == [(len(expected),) * 3]
