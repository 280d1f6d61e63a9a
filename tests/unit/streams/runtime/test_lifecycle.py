"""What a worker logs about its partitions, and what of its libraries' logs an operator sees."""

import logging
from collections.abc import Iterator

import pytest
import typer

from deploy.cli.logs import configure
from streams.runtime.lifecycle import spans

NAMES = ("touchline", "streams", "faust", "mode", "aiokafka", "mode.timers")


@pytest.fixture
def _levels() -> Iterator[None]:
    root = logging.getLogger()
    handlers, before = root.handlers[:], {name: logging.getLogger(name).level for name in NAMES}
    filters = {handler: handler.filters[:] for handler in handlers}
    yield
    root.handlers[:] = handlers
    for handler, own in filters.items():
        handler.filters[:] = own
    for name, level in before.items():
        logging.getLogger(name).setLevel(level)


@pytest.mark.parametrize(
    ("numbers", "said"), [([], ""), ([3], "3"), ([0, 1, 2, 3], "0-3"), ([0, 1, 3, 5, 6, 9], "0-1, 3, 5-6, 9")]
)
def test_partitions_are_said_in_runs(numbers: list[int], said: str) -> None:
    assert spans(numbers) == said


@pytest.mark.usefixtures("_levels")
def test_at_the_default_level_the_worker_speaks_and_its_libraries_only_warn() -> None:
    configure("INFO")
    assert logging.getLogger("touchline.worker").isEnabledFor(logging.INFO)
    assert not logging.getLogger("faust.tables").isEnabledFor(logging.INFO)
    assert logging.getLogger("faust.tables").isEnabledFor(logging.WARNING)
    assert not logging.getLogger("mode.timers").isEnabledFor(logging.WARNING), "overlapping timers"


@pytest.mark.usefixtures("_levels")
def test_debug_shows_all_and_no_other_level_exists() -> None:
    configure("debug")
    assert logging.getLogger("mode.timers").isEnabledFor(logging.WARNING)
    assert logging.getLogger("faust").isEnabledFor(logging.DEBUG)
    with pytest.raises(typer.BadParameter, match="LOUD: it must be DEBUG"):
        configure("LOUD")
