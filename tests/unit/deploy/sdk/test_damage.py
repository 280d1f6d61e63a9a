"""No damage to a file of the spool loses a touchpoint silently: it is given out, or its file is kept and named."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.sdk.segment import Mark
from deploy.sdk.spool import Spool

MARK = Mark("k1", "0" * 32)
VALUES = [b"value %d" % number for number in range(6)]
#: Of the layout in segment.py.
HEADER, ACKNOWLEDGED_AT, HEAD = 88, 76, 12
RECORD = HEAD + 2 + len(b"key") + len(VALUES[0])


def opened(folder: Path) -> Spool:
    return Spool(folder, 1 << 30, MARK, sync=False)


def left_behind(folder: Path, acknowledged: int = 0) -> Path:
    """The file of a process that was killed after Kafka had some of its records."""
    journal = opened(folder)
    for value in VALUES:
        journal.append(b"key", value)
    journal.acknowledge(journal.read(acknowledged, 1 << 30))
    journal.abandon()
    (path,) = folder.rglob("*.log")
    assert path.stat().st_size == HEADER + len(VALUES) * RECORD
    return path


def given_out(folder: Path) -> list[bytes]:
    """All that the next process delivers, one after another."""
    journal = opened(folder)
    for mark in journal.unverified:
        journal.verified(mark, None)
    found = []
    while entries := journal.read(2, 1 << 30):
        journal.acknowledge(entries)
        found += [entry.value for entry in entries]
    journal.close()
    return found


def kept(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in (folder / "refused").glob("*")]


@given(
    at=st.integers(0, HEADER + len(VALUES) * RECORD - 1),
    flip=st.integers(1, 255),
    acknowledged=st.integers(0, 5),
)
def test_whatever_byte_is_damaged_the_file_is_kept_unless_all_is_given_out(
    at: int, flip: int, acknowledged: int
) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = left_behind(Path(name), acknowledged)
        data = bytearray(path.read_bytes())
        data[at] ^= flip
        path.write_bytes(data)
        found = given_out(Path(name))
        wanted = VALUES[acknowledged:]
        assert found == wanted[: len(found)], "what is damaged was given out"
        assert found == wanted or len(kept(Path(name))) == 1


def set_bytes(at: int, new: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data[:at] + new + data[at + len(new) :]


@pytest.mark.parametrize(
    ("damage", "before"),
    [
        pytest.param(set_bytes(HEADER + 1, b"\xff"), 0, id="a length that points behind the end"),
        pytest.param(set_bytes(HEADER + 3 * RECORD + 1, b"\xff"), 3, id="the same in the middle"),
        pytest.param(set_bytes(HEADER + 5 * RECORD + 1, b"\xff"), 5, id="the same in the last record"),
        pytest.param(set_bytes(HEADER + 3 * RECORD, b"\0" * 4), 3, id="no length"),
        pytest.param(set_bytes(ACKNOWLEDGED_AT + 7, b"\x01"), 0, id="acknowledged behind the end"),
        pytest.param(set_bytes(ACKNOWLEDGED_AT, b"\x7f"), 0, id="acknowledged in the middle of a record"),
        pytest.param(set_bytes(10, b"\xff"), 0, id="the name of the key"),
        pytest.param(lambda data: bytes(len(data)), 0, id="zeros"),
        pytest.param(lambda data: data[: HEADER + RECORD] + bytes(500), 1, id="zeros after a record"),
        pytest.param(lambda data: data[: HEADER + RECORD + 5] + bytes(500), 1, id="zeros after a length"),
    ],
)
def test_a_damaged_file_is_kept_with_a_line_in_the_log(
    damage: Callable[[bytes], bytes], before: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = left_behind(tmp_path)
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)
    assert given_out(tmp_path) == VALUES[:before]
    (file,) = kept(tmp_path)
    assert file[HEADER:] == damaged[HEADER:]
    assert "it is kept as" in caplog.text


def test_a_file_that_lost_what_kafka_has_acknowledged_is_kept(tmp_path: Path) -> None:
    path = left_behind(tmp_path, acknowledged=4)
    path.write_bytes(path.read_bytes()[: HEADER + 3 * RECORD])
    assert given_out(tmp_path) == []
    assert len(kept(tmp_path)) == 1


def test_a_file_that_shrinks_while_it_is_open_is_kept(tmp_path: Path) -> None:
    path = left_behind(tmp_path)
    journal = opened(tmp_path)
    path.write_bytes(path.read_bytes()[: HEADER + RECORD])
    found = []
    while entries := journal.read(1, 1):
        journal.acknowledge(entries)
        found += [entry.value for entry in entries]
    assert found == VALUES[:1]
    assert len(kept(tmp_path)) == 1
