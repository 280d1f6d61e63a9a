"""Idempotent flow control: the end of a recovery keeps the fetches that agents were handed meanwhile."""

from mode.utils.queues import FlowControlQueue

from schemas.settings import Settings
from streams.runtime.app import WorkerApp
from streams.runtime.flow import IdempotentFlow


def queue_of(flow: IdempotentFlow) -> FlowControlQueue:
    return FlowControlQueue(flow_control=flow, clear_on_resume=True)


def test_resuming_a_flow_a_second_time_throws_nothing_away() -> None:
    flow = IdempotentFlow()
    queue = queue_of(flow)
    flow.resume()
    queue.put_nowait("a fetch that was read after the seek to what is committed")

    flow.resume()

    assert queue.qsize() == 1


def test_after_a_suspension_queues_begin_empty() -> None:
    flow = IdempotentFlow()
    queue = queue_of(flow)
    flow.resume()
    queue.put_nowait("a fetch of an earlier assignment")
    flow.suspend()

    flow.resume()

    assert flow.is_active()
    assert queue.qsize() == 0


def test_the_queues_of_a_worker_have_such_a_flow() -> None:
    app = WorkerApp(Settings())
    queue = app.FlowControlQueue(maxsize=0, clear_on_resume=True)
    app.flow_control.resume()
    queue.put_nowait("a fetch that was read after the seek to what is committed")

    app.flow_control.resume()
    assert queue.qsize() == 1

    app.flow_control.suspend()
    app.flow_control.resume()
    assert queue.qsize() == 0
