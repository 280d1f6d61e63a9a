"""A commit that a rebalance refused is not done: what it would have committed is read and committed again."""

import asyncio
import logging
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP
from mode.utils.logging import CompositeLogger

from streams.runtime.fetches import FetchConsumer

HERE, THERE = TP("touchpoints", 0), TP("touchpoints", 1)


class Consumer(FetchConsumer):
    """Faust's consumer with a group that answers as it is told."""

    in_transaction = False

    def __init__(self, *, takes_commits: bool, known: Mapping[TP, int]) -> None:
        async def flush() -> None: ...

        quiet: Any = lambda *_: None  # noqa: E731
        self.app = SimpleNamespace(
            producer=SimpleNamespace(flush=flush),
            tables=SimpleNamespace(on_commit=quiet),
            monitor=SimpleNamespace(on_tp_commit=quiet),
        )
        self.log = CompositeLogger(logging.getLogger("test"))
        self._committed_offset = dict(known)
        self._takes_commits = takes_commits

    def assignment(self) -> set[TP]:
        return {HERE, THERE}

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:  # noqa: ARG002
        return self._takes_commits

    async def try_to(self, offsets: Mapping[TP, int]) -> bool:
        return await self._commit_offsets(offsets)


@pytest.mark.parametrize("known", [{}, {HERE: 3}])
def test_a_refused_commit_changes_nothing(known: dict[TP, int]) -> None:
    consumer = Consumer(takes_commits=False, known=known)
    assert not asyncio.run(consumer.try_to({HERE: 7, THERE: 9}))
    assert consumer.committed_offset(HERE) == known.get(HERE, 0)
    assert consumer.committed_offset(THERE) == 0


def test_an_accepted_commit_is_known() -> None:
    consumer = Consumer(takes_commits=True, known={HERE: 3})
    assert asyncio.run(consumer.try_to({HERE: 7}))
    assert (consumer.committed_offset(HERE), consumer.committed_offset(THERE)) == (7, 0)
