"""Checkpoints of journeys: what the native core keeps of a partition, and what Python does, as of a changelog offset.

A checkpoint is taken between two fetches, so it is exactly what its changelog holds up to a mark. The mark is a
tombstone with a key of its own, which the worker writes first. A restart finds the mark at its offset, or does not
trust the file: the topic is another one, or compaction has passed the mark.
"""

import asyncio
import logging
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from schemas.errors import TouchlineError
from streams.journeys.changelog_keys import mark_key
from streams.journeys.partition import JourneyPartition
from streams.runtime.app import WorkerApp
from streams.runtime.checkpoint_files import CheckpointError, CheckpointFolder, join_changes, split_changes
from streams.runtime.foreign_writes import LogReader
from streams.runtime.state import ChangelogState
from streams.runtime.transaction import FetchTransaction

#: Journeys that Python keeps are written down one by one, which takes time. With more of them there is no checkpoint.
MOST_IN_PYTHON: Final = 10_000
#: The form of the file.
_FORM: Final = 1

log: Final = logging.getLogger("touchline.worker")


class Checkpoints:
    """The checkpoints of one worker's journeys."""

    def __init__(
        self,
        folder: CheckpointFolder,
        build: str,
        new: Callable[[int], JourneyPartition],
        log_reader: LogReader,
    ) -> None:
        """`build` names the core, the rules and the schemas: a file of another build is refused."""
        self._folder = folder
        self._build = f"{_FORM} {build}"
        self._new = new
        self._log_reader = log_reader
        self._saved: dict[int, int] = {}  #: by partition, the offset of the newest mark

    @classmethod
    def of(cls, app: WorkerApp, build: str, new: Callable[[int], JourneyPartition]) -> "Checkpoints | None":
        """A worker's checkpoints; None without a folder, or without a native core (an empty `build`)."""
        if not app.settings.state_dir:
            return None
        if not build:
            log.warning("TOUCHLINE_STATE_DIR is of no use: only the native core writes checkpoints")
            return None
        return cls(CheckpointFolder(Path(app.settings.state_dir)), build, new, app.log_reader)

    def due(self, partition: JourneyPartition, offset: int) -> bool:
        """Whether a partition that has written its changelog up to an offset should get a checkpoint, and can."""
        if offset <= self._saved.get(partition.number, -1) or partition.journeys.native is None:
            return False
        if partition.write_ahead.perhaps:
            return False  # it is decided before long
        in_python = partition.journeys.in_python
        if in_python > MOST_IN_PYTHON:
            log.info(
                "partition %d has no checkpoint: Python keeps %s of its journeys, of which many name accounts",
                partition.number, f"{in_python:,}",
            )  # fmt: skip
        return in_python <= MOST_IN_PYTHON

    async def save_all(
        self,
        state: ChangelogState[JourneyPartition],
        lock: Callable[[int], asyncio.Lock],
        transaction: Callable[[int], FetchTransaction[JourneyPartition]],
    ) -> None:
        """Write a checkpoint of each partition that has changed. `lock` keeps fetches of a partition away."""
        for number in state.held_partitions():
            write = None
            async with lock(number):
                known = state.known_offsets().get(number)
                if known is not None and self.due(state.of(number), known):
                    mark = mark_key(uuid4().hex.encode())
                    async with transaction(number) as fetch:
                        fetch.write(mark, None)
                    # else a rebalance took the partition, or another worker wrote
                    if state.known_offsets().get(number) == known + 1:
                        write = await self.save(state.topic_name, state.of(number), mark, known + 1)
            if write is not None:
                await write()

    async def save(
        self, topic: str, partition: JourneyPartition, mark: bytes, offset: int
    ) -> Callable[[], Any]:
        """Copy a partition that is between two fetches, whose `mark` is in the changelog at an offset.

        Returns a coroutine function that writes the copy down: others may go on meanwhile.
        """
        sections = partition.dump(join_changes)
        about = {
            "build": self._build, "topic": topic, "partition": partition.number, "offset": offset,
            "mark": mark.decode(), "watermark": partition.watermark,
        }  # fmt: skip
        self._saved[partition.number] = offset

        async def write() -> None:
            try:
                await asyncio.to_thread(self._folder.write, topic, partition.number, about, sections)
            except OSError as error:
                log.warning("the checkpoint of partition %d cannot be written: %s", partition.number, error)

        return write

    async def load(self, topic: str, number: int) -> tuple[JourneyPartition, int] | None:
        """A partition from its checkpoint, and the changelog offset up to which it goes; None without a usable one.

        Says in the log why a checkpoint is refused.
        """
        try:
            found = await asyncio.to_thread(self._folder.read, topic, number)
            if found is None:
                return None
            about, sections = found
            await self._check(about, topic, number)
            partition = self._new(number)
            partition.load(sections, split_changes)
        except (TouchlineError, OSError, ValueError, LookupError, struct.error) as error:
            log.warning(
                "the checkpoint of partition %d is refused: %s. Its changelog is read from the beginning", number, error
            )  # fmt: skip
            return None
        partition.watermark = max(partition.watermark, about["watermark"])
        self._saved[number] = about["offset"]
        log.info("partition %d: %s journeys from the checkpoint", number, f"{len(partition.journeys):,}")
        return partition, about["offset"]

    async def _check(self, about: dict[str, Any], topic: str, number: int) -> None:
        """Raise CheckpointError unless this worker wrote it, of this changelog, and the changelog has its mark."""
        if about["build"] != self._build:
            raise CheckpointError("another core, or other rules, wrote it")
        if (about["topic"], about["partition"]) != (topic, number):
            raise CheckpointError(f"it is one of {about['topic']}, partition {about['partition']}")
        record = await self._log_reader.record_at(topic, number, about["offset"])
        if record is None or record.key != about["mark"].encode():
            raise CheckpointError("its mark is not in the changelog: it is too old, or of another topic")
