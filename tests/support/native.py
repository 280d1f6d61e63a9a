"""Python's core and the native one side by side."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from unittest import mock

import pytest
from hypothesis import settings

from streams.journeys.native_journeys import native_journeys
from streams.journeys.state import native_fold
from streams.runtime.native_core import choose_native, chosen_core, installed_core
from tests.support.journeys_of import law

#: A law that both cores keep: `make native` tries more examples.
law_of_both = settings(law, max_examples=int(os.environ.get("NATIVE_EXAMPLES", "20")))

#: For tests that need the native core: it is tested wherever it is built.
needs_native = pytest.mark.skipif(
    installed_core() is None, reason="the native core is not built (make install, with cargo)"
)


@contextmanager
def core(native: bool) -> Iterator[None]:
    """New folds, journeys and models are the native core's, or Python's."""
    before = chosen_core() is not None
    choose_native(native)
    try:
        yield
    finally:
        choose_native(before)


@contextmanager
def by_turns() -> Iterator[mock.Mock]:
    """New folds and partitions are the native core's and Python's by turns, as in a group of which not all have it."""

    def either(real: Callable[..., object]) -> Callable[..., object]:
        turns = cycle((True, False))
        return lambda *arguments: real(*arguments) if next(turns) else None

    with (
        core(native=True),
        mock.patch("streams.journeys.agent.native_journeys", side_effect=either(native_journeys)),
        mock.patch(
            "streams.journeys.timeline.cached_fold.native_fold", side_effect=either(native_fold.native_fold)
        ) as asked,
    ):
        yield asked
