"""The journeys of one partition: those in use in the native core or as objects, all others compressed."""

from collections.abc import Iterator, MutableMapping
from itertools import islice
from typing import Any, Final

from streams.journeys.compression import LEAST_SAMPLES, JourneyCompressor
from streams.journeys.journey import Journey
from streams.journeys.native_journeys import NativeJourneys

#: Journeys that a partition keeps as objects: as many as one fetch may touch.
WARM: Final = 2_000

#: Journeys that recovery keeps as they are: the records of one may lie far apart in a changelog.
RESTORED: Final = 50_000

#: Compressed journeys that tell how many bytes all of them have.
SAMPLES: Final = 1_000

#: Dictionaries are learnt once a process: partitions come and go.
COMPRESSOR: Final = JourneyCompressor()


class JourneyCache(MutableMapping[bytes, Journey]):
    """Maps keys to journeys. A journey that was handed out may be mutated until the next `evict`."""

    def __init__(
        self,
        warm: int | None = None,
        compressor: JourneyCompressor | None = None,
        native: NativeJourneys | None = None,
    ) -> None:
        self._limit = WARM if warm is None else warm
        self._compressor = compressor or COMPRESSOR
        self.native = native  #: None where Python keeps all journeys
        self.warm: dict[bytes, Journey] = {}  #: those that are objects; the one used last is last
        self.compressed: dict[bytes, bytes] = {}

    def __getitem__(self, key: bytes) -> Journey:
        journey = self.warm.pop(key, None)
        if journey is None and self.native is not None:
            given = self.native.give(key)
            journey = None if given is None else given[0]
        if journey is None:
            journey = self._compressor.decompress(key, self.compressed.pop(key))
        # as the last, and under this copy of the key: deadlines that are set now will hold it too
        self.warm[key] = journey
        return journey

    def __setitem__(self, key: bytes, journey: Journey) -> None:
        self.compressed.pop(key, None)
        self.warm[key] = journey

    def hand_over(self, key: bytes) -> bool:
        """Let the native core keep a journey that is an object or compressed here, if it is plain."""
        return self.native is not None and self.native.receive(key, self[key]) and bool(self.warm.pop(key))

    def __delitem__(self, key: bytes) -> None:
        if self.native is not None and self.native.give(key) is not None:
            return
        if self.compressed.pop(key, None) is None:
            del self.warm[key]

    def __contains__(self, key: object) -> bool:
        return key in self.warm or key in self.compressed or key in (self.native or ())

    def __iter__(self) -> Iterator[bytes]:
        return iter([*self.compressed, *self.warm, *(self.native or ())])

    def __len__(self) -> int:
        return len(self.warm) + len(self.compressed) + len(self.native or ())

    @property
    def objects(self) -> int:
        """How many journeys Python keeps as objects."""
        return len(self.warm)

    @property
    def in_python(self) -> int:
        """How many journeys Python keeps, as objects or compressed."""
        return len(self.warm) + len(self.compressed)

    @property
    def compressed_bytes(self) -> int:
        """About how many bytes the compressed journeys have, by the average of SAMPLES of them."""
        sample = [len(packed) for packed in islice(self.compressed.values(), SAMPLES)]
        return sum(sample) * len(self.compressed) // len(sample) if sample else 0

    @property
    def crowded(self) -> bool:
        """Whether twice as many journeys are objects as should be."""
        return len(self.warm) > 2 * self._limit

    def restore(
        self, records: list[Any], start: int, scheduled: dict[bytes, int]
    ) -> tuple[int, int | None, list[tuple[bytes, int | None]]]:
        """Let the native core restore changelog records, as `NativeJourneys.restore` says; without it none is."""
        if self.native is None:
            return start, None, []
        if self.native.crowded(RESTORED):
            self.native.evict(self._limit)
        return self.native.restore(records, start, scheduled, (self.warm, self.compressed))  # type: ignore[no-any-return]

    def evict(self) -> None:
        """Compress the least recently used journeys beyond the number that is kept as objects."""
        if self.native is not None:
            self.native.evict(self._limit)
        surplus = len(self.warm) - self._limit
        if surplus <= 0:
            return
        if not self._compressor.ready:
            if surplus < LEAST_SAMPLES:
                return
            self._compressor.learn(list(self.warm.values())[:surplus])
        for key in list(islice(self.warm, surplus)):
            self.compressed[key] = self._compressor.compress(self.warm.pop(key))
