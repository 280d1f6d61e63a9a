"""A full disk stops only what is new: what is in the spool is delivered, which frees the disk, and nothing leaks."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.sdk import Publisher, Settings, SettingsError, segment, spool_folder
from deploy.sdk.errors import QueueFullError
from deploy.sdk.segment import Mark, Segment
from deploy.sdk.spool import Spool
from schemas.errors import UnavailableError

EVENT = {
    "event_id": "1", "occurred_at": 1, "source": "shop", "channel": "web", "type": "page_view",
    "identifiers": {"cookie": "a"},
}  # fmt: skip
SETTINGS = Settings(brokers="127.0.0.1:1", pseudonym_key="0123456789abcdef" * 4)
MARK = Mark("k1", "0" * 32)


def opened(folder: Path) -> Spool:
    return Spool(folder, 1 << 30, MARK, sync=False)


def left_behind(folder: Path, *values: bytes) -> None:
    """A spool of a process that was killed."""
    journal = opened(folder)
    for value in values:
        journal.append(b"key", value)
    journal.abandon()


def given_out(journal: Spool) -> list[bytes]:
    entries = journal.read(1000, 1 << 30)
    journal.acknowledge(entries)
    return [entry.value for entry in entries]


def held(folder: Path) -> tuple[int, list[str]]:
    """How many descriptors this process has open, and what is in the spool."""
    return len(list(Path("/proc/self/fd").iterdir())), sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*")
    )


@contextmanager
def disk(number: int = errno.ENOSPC) -> Iterator[None]:
    """While no file of the spool can grow; an acknowledgement replaces bytes."""
    write = segment.write_at

    def fail(descriptor: int, data: bytes, offset: int) -> None:
        if offset + len(data) > os.fstat(descriptor).st_size:
            raise OSError(number, os.strerror(number))
        write(descriptor, data, offset)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment, "write_at", fail)
        yield


def test_after_a_restart_on_a_full_disk_what_was_left_is_given_out_and_its_files_go(tmp_path: Path) -> None:
    left_behind(tmp_path, b"first", b"second")
    with disk():
        journal = opened(tmp_path)
        with pytest.raises(QueueFullError, match="No space left on device"):
            journal.append(b"key", b"refused")
        assert given_out(journal) == [b"first", b"second"]
        assert list(tmp_path.rglob("*.log")) == []
    journal.append(b"key", b"third")
    assert given_out(journal) == [b"third"]
    journal.close()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_refused_touchpoints_leave_no_file_no_folder_and_no_descriptor(tmp_path: Path) -> None:
    with disk():
        journal = opened(tmp_path)
        before = held(tmp_path)
        for _ in range(20):
            with pytest.raises(QueueFullError):
                journal.append(b"key", b"refused")
        assert held(tmp_path) == before
        journal.close()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_a_file_that_kafka_has_goes_when_the_disk_is_full_so_the_next_touchpoint_has_room(
    tmp_path: Path,
) -> None:
    journal = opened(tmp_path)
    journal.append(b"key", b"first")
    assert given_out(journal) == [b"first"]
    with disk():
        with pytest.raises(QueueFullError):
            journal.append(b"key", b"refused")
        assert list(tmp_path.rglob("*.log")) == []
    journal.append(b"key", b"second")
    assert given_out(journal) == [b"second"]


def test_a_file_that_kafka_has_not_stays_when_the_disk_is_full(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(b"key", b"first")
    with disk(), pytest.raises(QueueFullError):
        journal.append(b"key", b"refused")
    journal.append(b"key", b"second")
    assert given_out(journal) == [b"first", b"second"]


def test_a_spool_that_cannot_be_used_leaves_what_is_in_it_to_others(tmp_path: Path) -> None:
    left_behind(tmp_path, b"first")
    before = held(tmp_path)
    with disk(errno.EIO), pytest.raises(OSError, match="Input/output error"):
        opened(tmp_path)
    assert held(tmp_path) == before
    assert given_out(opened(tmp_path)) == [b"first"]


@pytest.mark.parametrize("adopts", [True, False])
def test_a_lock_that_cannot_be_taken_leaves_nothing_behind(
    adopts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in (b"first", b"second") if adopts else ():
        left_behind(tmp_path, value)
    folder = spool_folder.SpoolFolder(tmp_path)
    before = held(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(spool_folder, "locked", failing_last(spool_folder.locked, 2 if adopts else 1))
        with pytest.raises(OSError, match="No space left"):
            folder.adopt() if adopts else folder.create()
    assert [path for path in held(tmp_path)[1] if path != "lock"] == [
        path for path in before[1] if path != "lock"
    ]
    assert held(tmp_path)[0] == before[0]


def failing_last(lock: Callable[[Path], int | None], at: int) -> Callable[[Path], int | None]:
    calls = 0

    def fail(path: Path) -> int | None:
        nonlocal calls
        calls += 1
        if calls == at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return lock(path)

    return fail


def test_a_folder_with_a_file_that_cannot_be_read_now_stops_no_other_and_is_delivered_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    left_behind(tmp_path, b"first")
    broken = next(tmp_path.rglob("*.log"))
    open_file = Segment.open

    def fail(path: Path) -> Segment:
        if path == broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return open_file(path)

    with monkeypatch.context() as patch:
        patch.setattr(Segment, "open", fail)
        journal = opened(tmp_path)
        journal.append(b"key", b"own")
        assert given_out(journal) == [b"own"]
    assert "is not delivered yet" in caplog.text
    journal.adopt()
    assert given_out(journal) == [b"first"]


def test_a_publisher_on_a_full_disk_refuses_what_is_new_and_takes_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: str) -> None:
        raise UnavailableError("no broker answers")

    monkeypatch.setattr("deploy.sdk.delivery.require_broker", away)
    publisher = Publisher(SETTINGS, spool=tmp_path / "spool")
    with disk(), pytest.raises(QueueFullError, match="the touchpoint was not accepted"):
        publisher.publish(EVENT)
    publisher.publish(EVENT)
    assert publisher.pending == 1
    publisher.close(0.01)


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, QueueFullError), (errno.EACCES, SettingsError)])
def test_a_spool_that_cannot_be_made_is_an_error_of_the_disk_or_of_the_settings(
    number: int, kind: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    publisher = Publisher(SETTINGS, spool=tmp_path / "spool")
    monkeypatch.setattr(Path, "mkdir", fail)
    with pytest.raises(kind, match=os.strerror(number)):
        publisher.publish(EVENT)
