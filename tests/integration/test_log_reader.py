"""The log reader on real brokers: where a log ends and what is in it, beside the consumer group."""

import asyncio

import pytest

from deploy.ports import free_port
from schemas.settings import Settings
from streams.runtime.foreign_writes import LogReader
from tests.integration.test_publisher import outbox_of, place_of, publisher_of, settings

pytestmark = pytest.mark.sandbox
__all__ = ["settings"]


def test_it_reads_from_an_offset_to_the_end_and_sees_what_is_written_later(settings: Settings) -> None:
    topic, _ = place_of(settings)

    async def reading() -> None:
        reader = LogReader(settings)
        async with publisher_of(settings) as publisher:
            assert await reader.ends(topic, [0, 1]) == {0: 0, 1: 0}
            assert await reader.read(topic, 1, 0) == []
            await publisher.publish(outbox_of({(topic, 0): [b"a", b"b", b"c"]}))
            assert (await reader.ends(topic, [0]))[0] > 0
            assert [record.value for record in await reader.read(topic, 0, 1)] == [b"b", b"c"]
            known = (await reader.ends(topic, [0]))[0]
            await publisher.publish(outbox_of({(topic, 0): [b"d"]}))
            assert await reader.ends(topic, [0, 1]) == {0: 4, 1: 0}
            assert known < 4
            assert [(record.offset, record.value) for record in await reader.read(topic, 0, 3)] == [(3, b"d")]
        await reader.close()

    asyncio.run(reading())


def test_a_broker_that_does_not_answer_is_asked_again_at_the_next_look() -> None:
    async def reading() -> None:
        reader = LogReader(Settings(brokers=f"127.0.0.1:{free_port()}"))
        assert await reader.ends("t", [0]) == {}
        assert await reader.read("t", 0, 0) is None
        await reader.close()

    asyncio.run(reading())
