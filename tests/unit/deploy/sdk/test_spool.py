"""The spool loses nothing that it accepted, whatever ends its process, and gives it out in the order of acceptance."""

import errno
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.sdk import segment, spool
from deploy.sdk.errors import QueueFullError
from deploy.sdk.journal import Entry, MemoryJournal
from deploy.sdk.segment import Mark
from deploy.sdk.spool import Spool

MARK = Mark("k1", "0" * 32)
LARGE = 1 << 30


def opened(folder: Path, limit: int = LARGE, mark: Mark = MARK) -> Spool:
    return Spool(folder, limit, mark, sync=False)


def killed(journal: Spool) -> None:
    """What the system does when a process is killed: it closes its files, and the locks go with them."""
    journal.abandon()


def everything(journal: Spool | MemoryJournal) -> list[bytes]:
    """Read and acknowledge until nothing is left."""
    found = []
    while entries := journal.read(7, 4096):
        journal.acknowledge(entries)
        found += [entry.value for entry in entries]
    return found


def filled(journal: Spool | MemoryJournal, says: str) -> int:
    """Fill it with records of 1,000 bytes, numbered from 0; how many it took before it refused."""
    accepted = 0

    def fill() -> None:
        nonlocal accepted
        for number in range(1000):
            journal.append(b"key", b"%d" % number + b"x" * 999)
            accepted += 1

    with pytest.raises(QueueFullError, match=says):
        fill()
    return accepted


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.log"))


#: Of a run: accept so many, read so many and acknowledge some of them, be killed, lose the connection.
steps = st.lists(
    st.one_of(
        st.tuples(st.just("accept"), st.integers(1, 9)),
        st.tuples(st.just("deliver"), st.integers(1, 12)),
        st.tuples(st.just("kill"), st.just(0)),
        st.tuples(st.just("rewind"), st.just(0)),
        st.tuples(st.just("close"), st.just(0)),
    ),
    max_size=25,
)


@given(steps=steps, size=st.integers(0, 600), segment_bytes=st.integers(100, 4000))
def test_what_was_accepted_is_given_out_in_order_until_it_is_acknowledged(
    steps: list[tuple[str, int]], size: int, segment_bytes: int
) -> None:
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        patch.setattr(spool, "SEGMENT_BYTES", segment_bytes)
        journal = opened(Path(name))
        accepted: list[bytes] = []
        acknowledged = 0
        for step, count in steps:
            if step == "accept":
                for _ in range(count):
                    accepted.append(b"%d:" % len(accepted) + b"x" * size)
                    journal.append(b"key", accepted[-1])
            elif step == "deliver":
                journal.rewind()
                entries = journal.read(count, LARGE)
                values = [entry.value for entry in entries]
                assert values == accepted[acknowledged : acknowledged + len(values)]
                part = entries[: count // 2]
                journal.acknowledge(part)
                acknowledged += len(part)
            elif step == "rewind":
                journal.rewind()
            else:
                killed(journal) if step == "kill" else journal.close()
                journal = opened(Path(name))
        journal.rewind()
        assert everything(journal) == accepted[acknowledged:]
        journal.close()
        assert files(Path(name)) == []


def test_a_record_that_the_kill_cut_off_was_never_accepted_and_hides_no_other(tmp_path: Path) -> None:
    journal = opened(tmp_path / "whole")
    journal.append(b"key", b"first")
    before = files(tmp_path)[0].stat().st_size
    journal.append(b"key", b"second")
    data = files(tmp_path)[0].read_bytes()
    killed(journal)
    for length in range(len(data)):
        folder = tmp_path / str(length)
        (folder / "00000000000000000001-1-0").mkdir(parents=True)
        (folder / "00000000000000000001-1-0" / "000000000001.log").write_bytes(data[:length])
        again = opened(folder)
        assert everything(again) == ([b"first"] if length >= before else []), length
        again.append(b"key", b"next")
        assert everything(again) == [b"next"]
        again.close()
        assert files(folder) == []


def test_damaged_bytes_are_set_aside_with_their_file_and_everything_else_is_given_out(tmp_path: Path) -> None:
    first = opened(tmp_path)
    for number in range(3):
        first.append(b"key", b"damaged %d" % number)
    killed(first)
    path = files(tmp_path)[0]
    data = bytearray(path.read_bytes())
    data[data.index(b"damaged 1")] ^= 1
    path.write_bytes(data)
    second = opened(tmp_path)
    second.append(b"key", b"whole")
    assert everything(second) == [b"damaged 0", b"whole"]
    second.close()
    (kept,) = (tmp_path / "refused").iterdir()
    assert kept.read_bytes()[-20:] == bytes(data)[-20:]


def test_a_file_of_something_else_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "1-1-0").mkdir(parents=True)
    (tmp_path / "1-1-0" / "1.log").write_text("nothing of ours")
    journal = opened(tmp_path)
    assert everything(journal) == []
    assert [path.name for path in (tmp_path / "refused").iterdir()] == ["1-1-0-1.log"]


def test_a_full_spool_accepts_nothing_more_until_kafka_has_acknowledged(tmp_path: Path) -> None:
    journal = opened(tmp_path, limit=20_000)
    accepted = filled(journal, "spool_bytes allows no more")
    assert 15 <= accepted <= 20
    assert sum(path.stat().st_size for path in files(tmp_path)) < 20_000 + 1100
    assert len(everything(journal)) == accepted
    journal.append(b"key", b"x" * 1000)
    assert sum(path.stat().st_size for path in files(tmp_path)) < 2000


def test_what_was_adopted_counts_so_a_process_that_dies_again_and_again_fills_no_disk(tmp_path: Path) -> None:
    for _ in range(10):
        journal = opened(tmp_path, limit=5000)
        filled(journal, "spool_bytes allows no more")
        killed(journal)
    assert sum(path.stat().st_size for path in files(tmp_path)) < 5000 + 10 * 100


def test_a_disk_that_is_full_accepts_nothing_and_damages_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = opened(tmp_path)
    journal.append(b"key", b"before")
    with monkeypatch.context() as patch:
        patch.setattr(segment, "write_at", half_of(segment.write_at))
        with pytest.raises(QueueFullError, match="No space left on device"):
            journal.append(b"key", b"lost" * 100)
    journal.append(b"key", b"after")
    killed(journal)
    assert everything(opened(tmp_path)) == [b"before", b"after"]
    assert not (tmp_path / "refused").exists(), "half of a record is left between the others"


def half_of(write: Callable[[int, bytes, int], None]) -> Callable[[int, bytes, int], None]:
    def fail(descriptor: int, data: bytes, offset: int) -> None:
        write(descriptor, data[: len(data) // 2], offset)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return fail


def test_a_process_that_lives_keeps_what_is_its_own(tmp_path: Path) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    first.append(b"key", b"first's")
    second.append(b"key", b"second's")
    second.adopt()
    assert everything(second) == [b"second's"]
    killed(first)
    second.adopt()
    assert everything(second) == [b"first's"]


def test_what_was_left_comes_before_what_is_new_oldest_first(tmp_path: Path) -> None:
    for number in range(3):
        journal = opened(tmp_path)
        journal.append(b"key", b"%d" % number)
        killed(journal)
    last = opened(tmp_path)
    last.append(b"key", b"new")
    assert everything(last) == [b"0", b"1", b"2", b"new"]


def test_what_is_under_another_key_is_given_out_only_if_kafka_knows_the_key(tmp_path: Path) -> None:
    marks = (Mark("k0", "1" * 32), Mark("k1", "f" * 32), MARK, Mark("", ""))
    for mark in marks:
        journal = opened(tmp_path, mark=mark)
        journal.append(b"key", f"{mark.key_id} {mark.check[:1]}".encode())
        killed(journal)
    last = opened(tmp_path)
    assert set(last.unverified) == set(marks[:2])
    last.verified(marks[0], None)
    last.verified(marks[1], "it is another key")
    assert last.unverified == ()
    assert everything(last) == [b"k0 1", b"k1 0", b" "]
    assert len(list((tmp_path / "refused").iterdir())) == 1


def test_a_record_that_the_broker_never_takes_is_kept_beside_the_spool(tmp_path: Path) -> None:
    journal = opened(tmp_path)
    journal.append(b"key", b"\x00large")
    (entry,) = journal.read(1, 1)
    journal.set_aside(entry, "too large")
    journal.acknowledge([entry])
    (line,) = (tmp_path / "refused" / "records.jsonl").read_text().splitlines()
    assert json.loads(line) == {"error": "too large", "key": "key", "value": "AGxhcmdl"}
    assert (tmp_path / "refused" / "records.jsonl").stat().st_mode & 0o777 == 0o600


def test_only_its_owner_may_read_a_spool(tmp_path: Path) -> None:
    journal = opened(tmp_path / "spool")
    journal.append(b"key", b"value")
    made = [tmp_path / "spool", *(tmp_path / "spool").rglob("*")]
    assert all(path.stat().st_mode & 0o077 == 0 for path in made)


def test_memory_is_bounded_and_gives_out_in_order_until_it_is_acknowledged() -> None:
    journal = MemoryJournal(limit=10_000)
    accepted = filled(journal, "memory_bytes")
    assert 5 <= accepted <= 10
    journal.acknowledge(journal.read(2, LARGE))
    first = journal.read(3, LARGE)
    journal.rewind()
    assert [entry.value[:1] for entry in first] == [b"2", b"3", b"4"]
    journal.append(b"key", b"last")
    assert [value[:1] for value in everything(journal)] == [
        b"%d" % number for number in range(2, accepted)
    ] + [b"l"]


def test_a_record_larger_than_the_limit_of_memory_is_taken_when_nothing_else_waits() -> None:
    journal = MemoryJournal(limit=10)
    journal.append(b"key", b"x" * 100)
    assert journal.read(9, 9) == [Entry(b"key", b"x" * 100, own=True)]
