"""A fetch transaction over a given state, for tests that call an agent record by record."""

from typing import Any, Generic

from streams.runtime.app import WorkerApp
from streams.runtime.transaction import FetchTransaction, S


class GivenState(Generic[S]):
    """A table of one partition whose state the test keeps."""

    topic_name = "changelog"

    def __init__(self, state: S) -> None:
        self._state = state

    def of(self, _: int) -> S:
        return self._state

    def holds(self, _: int, state: S) -> bool:
        return state is self._state

    def record_own_writes(self, *_: Any) -> None:
        pass


def transaction_over(app: WorkerApp, state: S, partition: int = 0, event: Any = None) -> FetchTransaction[S]:
    """A transaction that nobody commits: the test reads its outputs and changes, or commits it by `async with`."""
    table: Any = GivenState(state)
    return FetchTransaction(app, table, partition, "test", event)
