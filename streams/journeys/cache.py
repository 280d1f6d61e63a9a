"""The journeys of one partition: those in use as objects, all others packed."""

from collections.abc import Iterator, MutableMapping
from itertools import islice
from typing import Final

from streams.journeys.compression import LEAST_SAMPLES, Packer
from streams.journeys.journey import Journey

#: Journeys that a partition keeps as objects: as many as one fetch may touch.
WARM: Final = 2_000

#: Dictionaries are learnt once a process: partitions come and go.
PACKER: Final = Packer()


class JourneyCache(MutableMapping[bytes, Journey]):
    """Key to journey. What is handed out may be changed until the next `evict`, which packs those not used lately."""

    def __init__(self, warm: int | None = None, packer: Packer | None = None) -> None:
        self._limit = WARM if warm is None else warm
        self._packer = packer or PACKER
        self._warm: dict[bytes, Journey] = {}  #: the one used last is last
        self._packed: dict[bytes, bytes] = {}

    def __getitem__(self, key: bytes) -> Journey:
        journey = self._warm.pop(key, None)
        if journey is None:
            journey = self._packer.unpack(key, self._packed.pop(key))
        # as the last, and under this copy of the key: deadlines that are set now will hold it too
        self._warm[key] = journey
        return journey

    def __setitem__(self, key: bytes, journey: Journey) -> None:
        self._packed.pop(key, None)
        self._warm[key] = journey

    def __delitem__(self, key: bytes) -> None:
        if self._packed.pop(key, None) is None:
            del self._warm[key]

    def __contains__(self, key: object) -> bool:
        return key in self._warm or key in self._packed

    def __iter__(self) -> Iterator[bytes]:
        return iter([*self._packed, *self._warm])

    def __len__(self) -> int:
        return len(self._warm) + len(self._packed)

    @property
    def crowded(self) -> bool:
        """Whether twice as many are at hand as should be."""
        return len(self._warm) > 2 * self._limit

    def evict(self) -> None:
        """Pack what was not used lately, beyond the number to be kept at hand."""
        surplus = len(self._warm) - self._limit
        if surplus <= 0:
            return
        if not self._packer.ready:
            if surplus < LEAST_SAMPLES:
                return
            self._packer.learn(list(self._warm.values())[:surplus])
        for key in list(islice(self._warm, surplus)):
            self._packed[key] = self._packer.pack(self._warm.pop(key))
