"""Work that may take a while, written so that it can rest: whoever drives it serves others in between."""

from collections.abc import Generator, Iterator
from typing import Final, TypeAlias, TypeVar

R = TypeVar("R")
#: Rests now and then; its result is what it returns.
Work: TypeAlias = Generator[None, None, R]

_STRIDE: Final = 64  # steps between two rests


def rest(count: int) -> Iterator[None]:
    """Rest before every so many steps: `yield from` it with the number of the step."""
    if count % _STRIDE == 0:
        yield


def finished(work: Work[R]) -> R:
    """The result of work, done without a rest."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: R = end.value
            return result
