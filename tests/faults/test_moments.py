"""How the fault suite meets moments: aims of a trial, requests that its proxies recognise, what is done twice."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.aims import Aims, repeated
from tests.faults.proxy import Proxy
from tests.faults.requests import insert_into, produce

PLACE = ["touchpoints", 0]


@pytest.mark.parametrize(
    ("begins", "expected"),
    [
        ([(2.0, 60)], 40),
        ([(2.0, 100)], 0),
        ([(2.0, 130)], 0),
        ([], 0),
        # only whoever has it next: later ones begin where that one has come to
        ([(3.0, 50), (2.0, 90)], 10),
        # who began before it was given up
        ([(0.5, 10), (2.0, 100)], 0),
    ],
)
def test_records_are_repeated_if_the_next_reader_begins_before_what_was_done(
    begins: list[tuple[float, int]], expected: int
) -> None:
    done = [{"place": PLACE, "at": 1.0, "end": 100}]
    begun = [{"place": PLACE, "at": at, "begin": begin} for at, begin in begins]
    elsewhere = [{"place": ["touchpoints", 1], "at": 1.5, "begin": 0}]

    assert repeated(done, begun + elsewhere) == expected


def test_an_aim_meets_one_process_once(tmp_path: Path) -> None:
    trial, process, other = Aims(tmp_path), Aims(tmp_path), Aims(tmp_path)
    assert not process.taken("gap")
    trial.aim("gap")

    assert (process.taken("gap"), other.taken("gap")) == (True, False)
    process.note("gap", later=3)
    assert [note["later"] for note in trial.notes("gap")] == [3]
    assert trial.notes("hold") == []


def test_an_aim_lasts_until_its_end(tmp_path: Path) -> None:
    trial, process = Aims(tmp_path), Aims(tmp_path)
    trial.aim("hold")
    assert process.lasts("hold")
    trial.end("hold")
    assert not process.lasts("hold")


POST = (
    b"POST /?query=INSERT+INTO+fault_1.raw_touchpoints+%28a%29+SELECT+a HTTP/1.1\r\n"
    b"Content-Length: 1000\r\nHost: here\r\n\r\n"
)


def test_an_insert_is_recognised_with_its_head_and_its_body() -> None:
    find = insert_into("raw_touchpoints")
    assert find(POST) == (len(POST), 1000)
    assert find(POST + b"x" * 300) == (len(POST), 1000)
    assert find(POST.replace(b"raw_touchpoints", b"raw_touchpoints_2")) is None
    assert find(POST.replace(b"INSERT+INTO", b"SELECT+1+FROM")) is None
    assert find(b"x" * 300) is None


def test_a_produce_request_is_recognised() -> None:
    assert produce(b"\x00\x00\x01\x00" + b"\x00\x00" + b"\x00\x0b" + b"rest") == (4, 256)
    fetch = b"\x00\x00\x01\x00" + b"\x00\x01" + b"\x00\x0b" + b"rest"
    assert produce(fetch) is None
    longer_than_its_frame = b"\x00\x00\x00\x04" + b"\x00\x00" + b"\x00\x0b" + b"rest"
    assert produce(longer_than_its_frame) is None


@contextmanager
def server() -> Iterator[tuple[int, list[bytes]]]:
    """Answers `done` to each POST that came whole; tells what it received on each connection."""
    received: list[bytes] = []
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            number = len(received)
            received.append(b"")
            with connection:
                try:
                    while data := connection.recv(65536):
                        received[number] += data
                        if received[number].endswith(b"!"):
                            connection.sendall(b"done")
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listening.getsockname()[1], received
    listening.shutdown(socket.SHUT_RDWR)
    listening.close()
    thread.join(5)


def ask(proxy: Proxy, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as client:
        client.sendall(request)
        try:
            return client.recv(100)
        except ConnectionError:
            return b""


def test_a_proxy_cuts_within_the_body_of_so_many_requests() -> None:
    whole = POST + b"x" * 999 + b"!"
    with server() as (port, received), Proxy(port) as proxy:
        proxy.cut_requests(insert_into("raw_touchpoints"), 2, 0.5)
        answers = [ask(proxy, b"other!"), ask(proxy, whole), ask(proxy, whole), ask(proxy, whole)]

    assert answers == [b"done", b"", b"", b"done"]
    assert proxy.caught == 2
    assert received[-1] == whole
    assert all(len(one) <= len(POST) + 500 for one in received[1:-1])


def test_a_proxy_loses_the_answer_to_a_request_that_arrived_whole() -> None:
    whole = POST + b"x" * 999 + b"!"
    with server() as (port, received), Proxy(port) as proxy:
        proxy.lose_answers(insert_into("raw_touchpoints"), 1)
        answers = [ask(proxy, whole), ask(proxy, whole)]

    assert answers == [b"", b"done"]
    assert proxy.caught == 1
    assert received == [whole, whole]
