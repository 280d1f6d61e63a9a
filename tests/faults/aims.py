"""Aims: how a trial tells a process at which moment to fail, and how the process tells that the moment came.

A trial aims by a file in its folder. The first process that comes to the moment removes the file, notes the moment and
fails. So a fault meets the moment that a protection is for, in every trial, and each meeting is counted.
"""

import json
import os
import signal
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

NOTES = "moments.jsonl"


class Aims:
    """The aims and notes in one folder, from both sides."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def aim(self, moment: str) -> None:
        """Let the next process that comes to the moment fail there."""
        self._file(moment).touch()

    def taken(self, moment: str) -> bool:
        """Whether this process is to fail at the moment: it is aimed at, and no other process was there first."""
        try:
            self._file(moment).unlink()
        except FileNotFoundError:
            return False
        return True

    def lasts(self, moment: str) -> bool:
        """Whether the moment is aimed at: of what goes on until `end`."""
        return self._file(moment).exists()

    def end(self, moment: str) -> None:
        """Aim no more."""
        self._file(moment).unlink(missing_ok=True)

    def note(self, moment: str, **facts: Any) -> None:
        """Note that this process was there. Notes of all processes of the machine stand in the order of their time."""
        line = json.dumps({"moment": moment, "at": time.monotonic(), "pid": os.getpid(), **facts}) + "\n"
        with (self._folder / NOTES).open("a") as file:
            file.write(line)

    def notes(self, moment: str) -> list[dict[str, Any]]:
        """What was noted of a moment."""
        try:
            lines = (self._folder / NOTES).read_text().splitlines()
        except FileNotFoundError:
            return []
        return [one for one in map(json.loads, lines) if one["moment"] == moment]

    def _file(self, moment: str) -> Path:
        return self._folder / f"aim-{moment}"


def die() -> NoReturn:
    """End this process as kill -9 does."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nothing survives SIGKILL")


def repeated(done: Iterable[Mapping[str, Any]], begun: Iterable[Mapping[str, Any]]) -> int:
    """How many records were done before their partition was given up, and are done again by whoever had it next.

    `done`: notes of partitions that are given up, with the `end` of what is done. `begun`: notes of partitions that
    are taken over, with the offset where their reader begins.
    """
    found = 0
    begun = sorted(begun, key=lambda note: note["at"])
    for note in done:
        after = (b for b in begun if b["place"] == note["place"] and b["at"] > note["at"])
        following = next(after, None)
        if following is not None:
            found += max(0, note["end"] - following["begin"])
    return found
