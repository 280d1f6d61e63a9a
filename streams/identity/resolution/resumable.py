"""Resumable computations: generators that yield now and then, so that their driver can serve others in between."""

from collections.abc import Generator, Iterator
from typing import Final, TypeAlias, TypeVar

R = TypeVar("R")
#: A computation that yields None now and then and returns an R. Its driver resumes it with `next`.
Resumable: TypeAlias = Generator[None, None, R]

STEPS_BETWEEN_YIELDS: Final = 64


def yield_sometimes(step: int) -> Iterator[None]:
    """Yield at each 64th step of a loop: `yield from yield_sometimes(step)`, with `step` counting from 0."""
    if step % STEPS_BETWEEN_YIELDS == 0:
        yield


def run_to_end(computation: Resumable[R]) -> R:
    """Run a resumable computation without a pause and return its result."""
    while True:
        try:
            next(computation)
        except StopIteration as end:
            result: R = end.value
            return result
