"""Streams over HTTP: where a reader begins, what an id promises, and how a stream ends."""

import asyncio
from collections.abc import Callable

import pytest

from schemas import topics
from schemas.profile_ids import own_profile
from sinks.subscribers.limits import Limits
from sinks.subscribers.positions import Mark, read, written
from tests.support.ids import person
from tests.support.state_log import no_state, placed, state
from tests.support.subscriber_serving import NOW, serving

A = own_profile("default", ("cookie", "a"))
KEY = {"Authorization": "Bearer k-all"}
STATES = placed([state("a", 1), state("b", 2), state("a", 3), no_state("b", 4), state("c", 5)])


def versions(events) -> dict[str, tuple[str, int]]:
    return {said["profile_id"]: (name, said["version"]) for name, said in events}


def test_a_reader_from_the_start_gets_every_present_state_and_then_each_change(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            served.take(STATES[:3])
            async with served.stream("/v1/streams/states?from=start") as stream:
                assert versions(await stream.some(2)) == {
                    person("a"): ("state", 3),
                    person("b"): ("state", 2),
                }
                served.take(STATES[3:])
                assert versions(await stream.some(2)) == {person("b"): ("gone", 4), person("c"): ("state", 5)}
            async with served.stream("/v1/streams/states") as stream:
                served.take(placed([*STATES, state("c", 9)])[-1:])
                assert versions(await stream.some(1)) == {person("c"): ("state", 9)}

    asyncio.run(run())


@pytest.mark.parametrize("window", [1, 100])
def test_who_goes_on_with_an_id_misses_nothing_and_gets_nothing_twice(tmp_path, window) -> None:
    """With a window of one event every reader is served from the past."""

    async def run() -> None:
        async with serving(tmp_path, Limits(window_events=window)) as served:
            for profile in "abcabcabc":
                served.tell("signals", profile, kind="cart")
            whole: list[tuple[int, int]] = []
            last_id = None
            while len(whole) < 9:
                start = "?from=start" if last_id is None else ""
                served.following.known["signals"] = ((0, 0), tuple(served.logs["signals"].ends))
                async with served.stream(f"/v1/streams/signals{start}", last_id) as stream:
                    for _, said in await stream.some(2 if len(whole) < 8 else 1):
                        whole.append((said["partition"], said["offset"]))
                    last_id = stream.last_id
            assert sorted(whole) == sorted(set(whole))
            assert len(whole) == 9

    asyncio.run(run())


def test_filters_choose_and_a_merge_is_told_to_who_follows_the_profile_that_went(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            path = "/v1/streams/signals?profile=a&profile=b&kind=cart&kind=quote"
            async with served.stream(path) as stream:
                for profile, kind in (("a", "cart"), ("a", "other"), ("c", "cart"), ("b", "quote")):
                    served.tell("signals", profile, kind=kind)
                assert [said["profile_id"] for _, said in await stream.some(2)] == ["a", "b"]

    asyncio.run(run())


def test_in_silence_an_id_comes_that_moves_on(tmp_path) -> None:
    async def run() -> None:
        async with (
            serving(tmp_path, Limits(heartbeat_seconds=0.05)) as served,
            served.stream("/v1/streams/signals?profile=nobody") as stream,
        ):
            served.tell("signals", "a")
            await asyncio.sleep(0.1)
            await stream.comment()
            await stream.comment()
            assert read(stream.last_id).positions == tuple(served.logs["signals"].ends)

    asyncio.run(run())


def test_an_id_says_how_fresh_what_its_reader_was_told_is_not_how_fresh_the_table_is(tmp_path) -> None:
    """Else who reads the past could go on a day later, when Kafka has removed ends of profiles that it lacks."""
    hour = 3600

    async def run() -> None:
        async with serving(tmp_path, Limits(heartbeat_seconds=0.05)) as served:
            served.take(STATES)
            began = written(Mark("states", 0, int(NOW) - 20 * hour, (0, 0)))
            async with served.stream("/v1/streams/states", began) as stream:
                for _ in range(3):
                    await stream.next()
                    assert read(stream.last_id).fresh_at == NOW - 20 * hour
                await stream.comment()
                assert read(stream.last_id).fresh_at == NOW
                served.now += 10 * hour
                served.take([])
                await stream.comment()
                await stream.comment()
                assert read(stream.last_id).fresh_at == NOW + 10 * hour

    asyncio.run(run())


def test_an_id_from_which_nobody_can_go_on_is_gone_and_says_what_to_do(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            served.take(STATES)
            old = int(NOW - topics.TOMBSTONE_MS / 1000) - 61
            served.following.known = {"signals": ((5, 5), (9, 9)), "states": ((0, 0), (3, 3))}
            served.windows["signals"].open((9, 9))
            for stream, mark in (
                ("states", Mark("states", 0, old, (0, 0))),
                ("states", Mark("states", 1, int(NOW), (0, 0))),
                ("states", Mark("states", 0, int(NOW), (0, 0, 0))),
                ("states", Mark("states", 0, int(NOW), (99, 0))),
                ("signals", Mark("signals", 0, int(NOW), (4, 9))),
                ("signals", Mark("signals", 0, int(NOW), (10, 9))),
            ):
                response = await served.get(f"/v1/streams/{stream}", Last_Event_ID=written(mark))
                assert (response.status, (await response.json())["code"]) == (410, "gone")
            for mark in ("nonsense", written(Mark("states", 0, int(NOW), (0, 0)))):
                response = await served.get("/v1/streams/signals", Last_Event_ID=mark)
                assert (response.status, (await response.json())["code"]) == (400, "event_id")

    asyncio.run(run())


def test_another_process_that_was_ahead_costs_nothing(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            served.following.known["states"] = ((0, 0), (9, 9))
            last_id = written(Mark("states", 0, int(NOW), (1, 1)))
            async with served.stream("/v1/streams/states", last_id) as stream:
                served.take(STATES)
                assert all(said["version"] > 2 for _, said in await stream.some(3))

    asyncio.run(run())


def test_a_stream_that_is_asked_for_too_early_begins_once_the_service_has_caught_up(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path, fresh=False) as served:
            asked = asyncio.create_task(served.session.get(f"{served.url}/v1/streams/states", headers=KEY))
            await asyncio.sleep(0.2)
            assert not asked.done()
            served.take(STATES)
            response = await asked
            assert response.status == 200
            response.close()

    asyncio.run(run())


def test_wrong_parameters_are_refused_before_the_stream_begins(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path, Limits(profiles=1)) as served:
            for path in (
                "states?form=start", "states?from=yesterday", "signals?stage=cart", "states?profile=a/b",
                "states?profile=a&profile=b", f"states?stage={'x' * 201}",
            ):  # fmt: skip
                assert (await served.get(f"/v1/streams/{path}")).status == 400
            assert (await served.get("/v1/streams/everything")).status == 404

    asyncio.run(run())


def test_only_so_many_streams_are_open_and_one_that_ends_makes_room(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path, Limits(streams=1, heartbeat_seconds=0.02)) as served:
            async with served.stream("/v1/streams/states"):
                assert (await served.get("/v1/streams/states")).status == 503
            await until(lambda: served.streams.open == 0)
            async with served.stream("/v1/streams/states") as stream:
                served.take(STATES)
                assert await stream.next()

    asyncio.run(run())


def test_a_table_that_is_built_anew_ends_the_streams_of_states_and_their_ids_hold(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served:
            served.take(STATES)
            async with served.stream("/v1/streams/states?from=start") as stream:
                await stream.some(3)
                served.table.clear()
                served.hub.cleared()
                with pytest.raises(EOFError):
                    await stream.next()
                last_id = stream.last_id
            served.take(STATES)
            async with served.stream("/v1/streams/states", last_id) as stream:
                served.take(placed([*STATES, state("c", 9)])[-1:])
                assert versions(await stream.some(1)) == {person("c"): ("state", 9)}

    asyncio.run(run())


def test_the_end_of_the_service_ends_every_stream_at_once(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path) as served, served.stream("/v1/streams/changes") as stream:
            served.streams.end()
            with pytest.raises(EOFError):
                await stream.next()

    asyncio.run(run())


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not done():  # noqa: ASYNC110 (nobody tells of it)
            await asyncio.sleep(0.02)


def test_a_reader_that_takes_nothing_is_disconnected_and_goes_on_with_its_last_id(tmp_path) -> None:
    async def run() -> None:
        async with serving(tmp_path, Limits(stall_seconds=0.2)) as served:
            served.following.known["signals"] = ((0, 0), (9999, 9999))
            host, port = served.url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
            writer.write(
                b"GET /v1/streams/signals HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k-all\r\n\r\n"
            )
            await reader.readuntil(b"\r\n\r\n")
            for _ in range(1000):
                served.tell("signals", "a", padding="x" * 20_000)
            await until(lambda: served.streams.open == 0)
            writer.close()

            # as an EventSource whose last whole event was this one
            last_id = written(Mark("signals", 0, int(NOW), (0, 7)))
            async with served.stream("/v1/streams/signals", last_id) as stream:
                assert (await stream.next())[1]["offset"] == 7

    asyncio.run(run())
