"""Shared answers: many viewers ask once, slow questions are asked seldom, errors are not kept for long."""

import asyncio

import pytest

from schemas.errors import UnavailableError
from sinks.page.answers import FACTOR, KEPT, SHARED_SECONDS, Answers


class Asked:
    def __init__(self, clock: list[float], seconds: float = 0.0, error: bool = False) -> None:
        self.clock, self.seconds, self.error, self.times = clock, seconds, error, 0

    async def __call__(self) -> int:
        self.times += 1
        await asyncio.sleep(0)
        self.clock[0] += self.seconds
        if self.error:
            raise UnavailableError("away")
        return self.times


def test_fifty_viewers_at_once_ask_once() -> None:
    async def run() -> None:
        answers, question = Answers(lambda: 0.0), Asked([0.0])
        found = await asyncio.gather(*(answers.get("q", question) for _ in range(50)))
        assert {each.get() for each in found} == {1}
        assert question.times == 1

    asyncio.run(run())


@pytest.mark.parametrize("seconds", [0.0, 0.1, 3.0])
def test_an_answer_is_shared_longer_the_longer_it_took(seconds: float) -> None:
    async def run() -> None:
        clock = [0.0]
        answers, question = Answers(lambda: clock[0]), Asked(clock, seconds)
        first = await answers.get("q", question)
        shared = max(SHARED_SECONDS, FACTOR * seconds)
        assert answers.remaining(first) == pytest.approx(shared)
        clock[0] += shared - 0.01
        assert (await answers.get("q", question)).get() == 1
        clock[0] += 0.02
        assert (await answers.get("q", question)).get() == 2

    asyncio.run(run())


def test_a_viewer_who_leaves_does_not_stop_it_for_the_others() -> None:
    async def run() -> None:
        answers, question = Answers(lambda: 0.0), Asked([0.0])
        leaving = asyncio.create_task(answers.get("q", question))
        staying = asyncio.create_task(answers.get("q", question))
        await asyncio.sleep(0)
        leaving.cancel()
        assert (await staying).get() == 1

    asyncio.run(run())


def test_an_error_is_told_to_those_who_asked_and_asked_again_soon() -> None:
    async def run() -> None:
        clock = [0.0]
        answers, question = Answers(lambda: clock[0]), Asked(clock, 5.0, error=True)
        with pytest.raises(UnavailableError):
            (await answers.get("q", question)).get()
        clock[0] += SHARED_SECONDS + 0.01
        question.error = False
        assert (await answers.get("q", question)).get() == 2

    asyncio.run(run())


def test_answers_are_kept_up_to_a_limit() -> None:
    async def run() -> None:
        answers = Answers(lambda: 0.0)
        for number in range(KEPT + 50):
            await answers.get(number, Asked([0.0]))
        assert len(answers) == KEPT

    asyncio.run(run())
