"""One fetch of journey-inputs through the native core: touchpoints in, records out, in the order in which Python works.

The native core takes touchpoints until it meets a record that Python must take: `JourneyPartition.journey` then has the
journey as an object. What is published and written down keeps the order in which the fetch touched the profiles.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from streams.journeys.journey import Journey
from streams.journeys.partition import JourneyPartition
from streams.journeys.timeline.effects import Effects
from streams.runtime.publisher import OutgoingRecord
from streams.runtime.transaction import Change, FetchTransaction

#: Touchpoints, and profiles, of one call: few enough for a time slice.
AT_ONCE: Final = 64
#: Why the native core stopped: Python holds the journey; the core failed.
_HELD: Final = 2
_FAILED: Final = 3

log: Final = logging.getLogger("touchline.worker")

Touched = dict[bytes, tuple[Journey, Effects]]


class NativeFetch:
    """What the native core does of one fetch. `touched` are the profiles that Python has touched in it."""

    def __init__(self, partition: JourneyPartition, touched: Touched, meanings: int) -> None:
        native = partition.journeys.native
        self._core = None if native is None else native.core
        self._packer = None if native is None else native.packer
        self._partition = partition
        self._touched = touched
        self._meanings = meanings
        #: how many profiles the native core had touched when Python touched one
        self._slots: dict[bytes, int] = {}
        self._published = 0
        #: changelog records of touchpoints and of publications, by how many profiles were touched before
        self._entries: list[tuple[int, list[OutgoingRecord]]] = []
        self._publications: list[tuple[int, list[OutgoingRecord]]] = []

    def take(self, records: list[Any], start: int, clock: float, bounds: Mapping[str, Any]) -> int:
        """Take touchpoints from `start` on; returns the place of the first that it did not take.

        `clock` is in seconds. `bounds` has the version of offset 0, the number of partitions and the limit of versions.
        """
        if self._core is None:
            return start
        partition = self._partition
        journeys, predictions = partition.journeys, partition.predictions
        stop = min(len(records), start + AT_ONCE)
        while start < stop:
            start, why, partition.watermark, learnt, failure = self._core.take(
                records, start, stop,
                {
                    **bounds, "partition": partition.number, "clock": clock, "watermark": partition.watermark,
                    "meanings": self._meanings, "model": _none if predictions is None else predictions.model,
                    "objects": journeys.warm, "compressed": journeys.compressed,
                    "packer": self._packer, "perhaps": partition.write_ahead.perhaps,
                },
            )  # fmt: skip
            if predictions is not None:
                for tenant, count in learnt:
                    predictions.count(tenant, count)
            if why == _FAILED:
                log.error("%s; Python takes the record: a bug, please report it", failure)
            if start < stop:
                key = records[start].key
                if why != _HELD or key in self._touched or not journeys.hand_over(key):
                    break
        return start

    def release(self, key: bytes | None) -> None:
        """Let Python have a profile that it is about to touch, with what the fetch changed so far."""
        if self._core is None or key in self._touched or not isinstance(key, bytes):
            return
        native = self._partition.journeys.native
        given = None if native is None else native.give(key)
        self._slots[key] = self._core.count
        if given is not None:
            journey, slot, effects = given
            self._partition.journeys[key] = journey
            if slot is not None:
                self._touched[key], self._slots[key] = (journey, effects), slot

    def in_order(self) -> list[bytes]:
        """The profiles that Python has touched, in the order of all that were touched."""
        if self._core is None:
            return list(self._touched)
        return sorted(self._touched, key=self._slots.__getitem__)

    def publish(
        self,
        fetch: FetchTransaction[JourneyPartition],
        before: bytes | None,
        now: int,
        topics: tuple[str, str, str],
    ) -> bool:
        """Publish profiles that were touched before the profile `before`, or all; now is in UTC ms.

        `topics` are those of states, of signals and of journey inputs. Of a profile that cannot be published the last
        input becomes a dead letter. Returns whether there are more of them.
        """
        if self._core is None:
            return False
        partition = self._partition
        start, end = self._published, self._core.count if before is None else self._slots[before]
        stop = self._published = max(start, min(end, start + AT_ONCE))
        if start == stop:
            return False
        predictions = partition.predictions
        inputs, states, signals, ahead, entries, publications, deadlines, failures = self._core.publish(
            start, stop, now, self._meanings,
            _none if predictions is None else predictions.model,
            "" if predictions is None else predictions.form,
        )  # fmt: skip
        for receiver, value in inputs:
            fetch.publish(topics[2], receiver, value)
        fetch.outputs.extend((topics[0], partition.number), states)
        fetch.announced.extend((topics[1], partition.number), signals)
        partition.write_ahead.raising_all(ahead)
        for key, due in deadlines:
            partition.schedule(key, due)
        for cause, error in failures:
            with fetch.dead_letter(cause):
                raise error
        self._entries.append((stop, entries))
        self._publications.append((stop, publications))
        return stop < end

    def changes(self) -> list[OutgoingRecord]:
        """The changelog records of the fetch, after its outputs were published."""
        partition, order = self._partition, self.in_order()
        found = self._merged(
            self._entries, order, lambda key: partition.changelog(key, self._touched[key][1])
        )
        found += self._merged(self._publications, order, lambda key: (partition.publication(key),))
        found += partition.written_last()
        return found

    def _merged(
        self, native: list[tuple[int, list[OutgoingRecord]]], order: list[bytes],
        python: Callable[[bytes], Iterable[Change]],
    ) -> list[OutgoingRecord]:  # fmt: skip
        found: list[OutgoingRecord] = []
        parts = iter([*native, (1 << 62, [])])
        end, records = next(parts)
        for key in order:
            while self._core is not None and end <= self._slots[key]:
                found += records
                end, records = next(parts)
            found += ((name, value, None) for name, value in python(key))
        found += records
        for _, more in parts:
            found += more
        return found

    def finish(self) -> None:
        """Forget which profiles the fetch has touched."""
        if self._core is not None:
            self._core.finish()


def _none(*_: object) -> None:
    return None
