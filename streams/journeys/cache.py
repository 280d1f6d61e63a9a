"""The journeys of one partition: those in use as objects, all others compressed."""

from collections.abc import Iterator, MutableMapping
from itertools import islice
from typing import Final

from streams.journeys.compression import LEAST_SAMPLES, JourneyCompressor
from streams.journeys.journey import Journey

#: Journeys that a partition keeps as objects: as many as one fetch may touch.
WARM: Final = 2_000

#: Compressed journeys that tell how many bytes all of them have.
SAMPLES: Final = 1_000

#: Dictionaries are learnt once a process: partitions come and go.
COMPRESSOR: Final = JourneyCompressor()


class JourneyCache(MutableMapping[bytes, Journey]):
    """Maps keys to journeys. A journey that was handed out may be mutated until the next `evict`."""

    def __init__(self, warm: int | None = None, compressor: JourneyCompressor | None = None) -> None:
        self._limit = WARM if warm is None else warm
        self._compressor = compressor or COMPRESSOR
        self._warm: dict[bytes, Journey] = {}  #: the one used last is last
        self._compressed: dict[bytes, bytes] = {}

    def __getitem__(self, key: bytes) -> Journey:
        journey = self._warm.pop(key, None)
        if journey is None:
            journey = self._compressor.decompress(key, self._compressed.pop(key))
        # as the last, and under this copy of the key: deadlines that are set now will hold it too
        self._warm[key] = journey
        return journey

    def __setitem__(self, key: bytes, journey: Journey) -> None:
        self._compressed.pop(key, None)
        self._warm[key] = journey

    def __delitem__(self, key: bytes) -> None:
        if self._compressed.pop(key, None) is None:
            del self._warm[key]

    def __contains__(self, key: object) -> bool:
        return key in self._warm or key in self._compressed

    def __iter__(self) -> Iterator[bytes]:
        return iter([*self._compressed, *self._warm])

    def __len__(self) -> int:
        return len(self._warm) + len(self._compressed)

    @property
    def objects(self) -> int:
        """How many journeys are kept as objects."""
        return len(self._warm)

    @property
    def compressed_bytes(self) -> int:
        """About how many bytes the compressed journeys have, by the average of SAMPLES of them."""
        sample = [len(packed) for packed in islice(self._compressed.values(), SAMPLES)]
        return sum(sample) * len(self._compressed) // len(sample) if sample else 0

    @property
    def crowded(self) -> bool:
        """Whether twice as many journeys are objects as should be."""
        return len(self._warm) > 2 * self._limit

    def evict(self) -> None:
        """Compress the least recently used journeys beyond the number that is kept as objects."""
        surplus = len(self._warm) - self._limit
        if surplus <= 0:
            return
        if not self._compressor.ready:
            if surplus < LEAST_SAMPLES:
                return
            self._compressor.learn(list(self._warm.values())[:surplus])
        for key in list(islice(self._warm, surplus)):
            self._compressed[key] = self._compressor.compress(self._warm.pop(key))
