"""A checkpoint file is used as it was written, or refused: whatever is cut off or damaged, and whenever it ends."""

import os
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.runtime import checkpoint_files
from streams.runtime.checkpoint_files import (
    CheckpointError,
    CheckpointFolder,
    decode,
    join_changes,
    split_changes,
)

ABOUT = {"offset": 7, "mark": "a"}


def written(folder: Path, sections: list[bytes]) -> Path:
    CheckpointFolder(folder).write("log", 3, ABOUT, sections)
    (path,) = folder.iterdir()
    return path


@given(st.lists(st.binary(max_size=40), max_size=4))
def test_what_was_written_is_read(tmp_path_factory: pytest.TempPathFactory, sections: list[bytes]) -> None:
    folder = tmp_path_factory.mktemp("state")
    written(folder, sections)
    assert CheckpointFolder(folder).read("log", 3) == (ABOUT, sections)
    assert CheckpointFolder(folder).read("log", 4) is None


def test_only_its_owner_reads_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = written(tmp_path / "state", [b"journeys"])
    finally:
        os.umask(before)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_any_truncation_and_any_flipped_byte_is_refused(tmp_path: Path) -> None:
    whole = written(tmp_path, [b"journeys", b"", b"records"]).read_bytes()
    assert decode(whole)
    for at in range(len(whole)):
        with pytest.raises(CheckpointError):
            decode(whole[:at])
        for flip in (1, 0x80, 0xFF):
            with pytest.raises(CheckpointError):
                decode(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])


@settings(max_examples=20)
@given(st.data())
def test_two_files_cannot_be_mixed(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """As a disk that lost a part of its writes could leave them."""
    one = written(tmp_path_factory.mktemp("a"), [b"a" * 50, b"b" * 30]).read_bytes()
    other = written(tmp_path_factory.mktemp("b"), [b"c" * 50, b"d" * 30]).read_bytes()
    cut = data.draw(st.integers(1, len(one) - 1))
    mixed = one[:cut] + other[cut:]
    if mixed not in (one, other):
        with pytest.raises(CheckpointError):
            decode(mixed)


@pytest.mark.parametrize("killed_at", ["write", "fsync", "rename"])
def test_an_interrupted_write_leaves_the_file_before_it_and_the_next_read_clears_up(
    tmp_path: Path, killed_at: str
) -> None:
    """Killed: nothing runs any more, so what is unfinished stays."""
    before = written(tmp_path, [b"before"]).read_bytes()
    stops = {
        "write": mock.patch.object(checkpoint_files, "blake2b", side_effect=KeyboardInterrupt),
        "fsync": mock.patch("os.fsync", side_effect=KeyboardInterrupt),
        "rename": mock.patch.object(Path, "replace", side_effect=KeyboardInterrupt),
    }
    folder = CheckpointFolder(tmp_path)
    with stops[killed_at], mock.patch.object(Path, "unlink"), pytest.raises(KeyboardInterrupt):
        folder.write("log", 3, ABOUT, [b"after"])
    assert len(list(tmp_path.iterdir())) == 2
    assert folder.read("log", 3) == (ABOUT, [b"before"])
    (path,) = tmp_path.iterdir()
    assert path.read_bytes() == before


@given(st.lists(st.tuples(st.binary(max_size=20), st.none() | st.binary(max_size=20)), max_size=6))
def test_changelog_records_come_back_as_they_were(changes: list[tuple[bytes, bytes | None]]) -> None:
    assert split_changes(join_changes(changes)) == changes
