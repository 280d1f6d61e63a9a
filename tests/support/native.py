"""Python's core and the native one side by side."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from unittest import mock

import pytest

from streams.journeys.state import native_fold

#: For tests that need the native core: it is tested wherever it is built.
needs_native = pytest.mark.skipif(
    native_fold.touchline_native is None, reason="the native core is not built (make install, with cargo)"
)


@contextmanager
def core(native: bool) -> Iterator[None]:
    """New folds are the native core's, or Python's."""
    native_fold.choose_native(native)
    try:
        yield
    finally:
        native_fold.choose_native(False)


@contextmanager
def by_turns() -> Iterator[mock.Mock]:
    """New folds are the native core's and Python's by turns, as in a group of workers that do not all have it."""
    turns = cycle((True, False))
    real = native_fold.native_fold

    def either(*arguments: object) -> object:
        return real(*arguments) if next(turns) else None  # type: ignore[arg-type]

    with (
        core(native=True),
        mock.patch("streams.journeys.timeline.cached_fold.native_fold", side_effect=either) as asked,
    ):
        yield asked
