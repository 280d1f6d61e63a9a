"""A process that stands still tells what each of its tasks waits for."""

import asyncio

from streams.runtime.task_dump import task_dump


async def waits(done: asyncio.Event) -> None:
    await done.wait()


async def asks_who_waits(done: asyncio.Event) -> None:
    await waits(done)


def test_a_dump_names_each_task_and_every_place_down_to_what_it_waits_for() -> None:
    async def run() -> str:
        done = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(asks_who_waits(done), name="a-reader")
            await asyncio.sleep(0)
            told = task_dump(asyncio.get_running_loop())
            done.set()
        return told

    (line,) = [line for line in asyncio.run(run()).splitlines() if line.startswith("a-reader: ")]
    places = line.removeprefix("a-reader: ").split(" > ")
    assert [place.partition(" (")[0] for place in places] == ["asks_who_waits", "waits", "Event.wait"]
    assert "test_task_dump.py:" in places[0]
