"""A rolling upgrade under load: the state that a former release left, and two workers that are replaced one by one."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.test_accounts import assert_accounts_equal
from tests.integration.test_pipeline import assert_live_equals, send
from tests.integration.test_upgrade import left_behind
from tests.upgrade.stored import Sample, samples

pytestmark = [pytest.mark.sandbox, pytest.mark.soak]


@pytest.mark.parametrize("core", ["python", "auto"])
@pytest.mark.parametrize("sample", samples(), ids=lambda sample: f"of-{sample.release}")
def test_workers_are_replaced_one_by_one_over_the_state_of_a_former_release(
    kafka, clickhouse, sample: Sample, core: str
) -> None:
    """`core`: what the worker that goes first decides with; the one that comes after it has another one."""
    later, replay = sample.later(), sample.replay()
    for event in later:
        replay.add(event)
    with left_behind(sample, kafka, clickhouse) as live:

        def load() -> None:
            # every event twice, a third of a second apart: each is in some worker's hands while another one ends
            for event in [*later, *later]:
                send([event], live)
                time.sleep(0.05)

        first = live.process("worker-old", "worker")
        first.env["TOUCHLINE_CORE"] = core
        live.workers.append(first)
        first.start()
        live.start_loader()
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(load)
            time.sleep(3)
            live.start_worker()  # the new release takes over half of the partitions
            time.sleep(5)
            assert first.stop() == 0, live.log_tails()  # and then all of them
            live.workers.remove(first)
            live.start_worker()
            time.sleep(5)
            live.workers[0].kill()  # the way back: the other one takes over what this one wrote
            live.workers[0].start()
            loading.result()
        live.wait_idle(300)
        assert_live_equals(replay, live)
        assert_accounts_equal(replay, live)
        assert live.query("SELECT count() FROM dead_letters") == [(0,)]
