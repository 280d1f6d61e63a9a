"""A rolling upgrade under load: the state that a former release left, and two workers that are replaced one by one."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from deploy.sandbox import Process
from tests.integration.processes import wait_until
from tests.integration.test_accounts import assert_accounts_equal
from tests.integration.test_pipeline import assert_live_equals, send, wait_for_states
from tests.integration.test_upgrade import left_behind
from tests.upgrade.stored import Sample, samples

pytestmark = [pytest.mark.sandbox, pytest.mark.soak]


def took_over(worker: Process) -> bool:
    """Whether it has restored what it is to go on with."""
    return "restored journeys" in worker.log.read_text()


@pytest.mark.parametrize(("core", "other"), [("python", "native"), ("native", "python")])
@pytest.mark.parametrize("sample", samples(), ids=lambda sample: f"of-{sample.release}")
def test_workers_are_replaced_one_by_one_over_the_state_of_a_former_release(
    kafka, clickhouse, sample: Sample, core: str, other: str
) -> None:
    """`core`: of the worker that goes first; those that come after it have the other one."""
    pytest.importorskip("touchline_native", reason="the native core is not installed")
    later, replay = sample.later(), sample.replay()
    for event in later:
        replay.add(event)
    with left_behind(sample, kafka, clickhouse) as live:
        enough = Event()

        def load() -> None:
            # again and again: some event is in a worker's hands while it ends
            while not enough.is_set():
                for event in later:
                    send([event], live)

        first, second, third = (
            live.process(f"worker-{name}", "worker") for name in ("first", "second", "third")
        )
        first.env["TOUCHLINE_CORE"] = core
        second.env["TOUCHLINE_CORE"] = third.env["TOUCHLINE_CORE"] = other
        live.workers.append(first)
        first.start()
        live.start_loader()
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(load)
            try:
                wait_for_states(live)
                live.workers.append(second)
                second.start()  # the new release takes over half of the partitions
                wait_until(lambda: took_over(second))
                assert first.stop() == 0, live.log_tails()  # and then all of them
                live.workers.remove(first)
                live.workers.append(third)
                third.start()
                wait_until(lambda: took_over(third))
                second.kill()  # the way back: the other one takes over what this one wrote
                second.start()
            finally:
                enough.set()
            loading.result()
        live.wait_idle(300)
        assert_live_equals(replay, live)
        assert_accounts_equal(replay, live)
        assert live.query("SELECT count() FROM dead_letters") == [(0,)]
