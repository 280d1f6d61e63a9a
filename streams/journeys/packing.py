"""Timelines as bytes, for the many of whom nothing is heard at the moment.

A timeline of ten touchpoints takes some 14 KB as objects and about 600 bytes packed: pickled without its fold, which
follows from the touchpoints, and compressed by Zstandard with a dictionary trained on this process's first timelines.
Packed timelines never leave the process, so their form need not outlive it.
"""

import pickle
from copyreg import dispatch_table
from io import BytesIO
from typing import Any, Final

from zstandard import ZstdCompressionDict, ZstdCompressor, ZstdDecompressor, train_dictionary

from streams.journeys.meaning import Meanings
from streams.journeys.rules import JourneyRules
from streams.journeys.timeline import Timeline

DICTIONARY_BYTES: Final = 8 * 1024
#: With fewer a dictionary is not worth its training.
LEAST_SAMPLES: Final = 256
MOST_SAMPLES: Final = 1_000
#: Above so many touchpoints folding again takes longer than packing the fold too.
FOLDED_AGAIN: Final = 32

#: What all timelines share is not packed with each of them, but kept here under a number.
_shared: dict[int, object] = {}


class Packer:
    """Packs timelines, once it has seen enough of them."""

    def __init__(self) -> None:
        self._compressor: ZstdCompressor | None = None
        self._decompressor: ZstdDecompressor | None = None

    @property
    def ready(self) -> bool:
        """Whether it has learnt from samples."""
        return self._compressor is not None

    def learn(self, samples: list[Timeline]) -> None:
        """Train the dictionary, once and for all."""
        pickles: list[Any] = [_pickled(timeline) for timeline in samples[:MOST_SAMPLES]]
        trained = train_dictionary(DICTIONARY_BYTES, pickles)
        known = ZstdCompressionDict(trained.as_bytes())
        self._compressor = ZstdCompressor(
            level=3, dict_data=known, write_checksum=False, write_dict_id=False, write_content_size=True
        )
        self._decompressor = ZstdDecompressor(dict_data=known)

    def pack(self, timeline: Timeline) -> bytes:
        """A timeline, packed; it may be used no more."""
        assert self._compressor is not None
        # zstandard keeps the room that it allocated for the worst case: a copy is as long as it is
        return bytes(memoryview(self._compressor.compress(_pickled(timeline))))

    def unpack(self, packed: bytes) -> Timeline:
        """The timeline again."""
        assert self._decompressor is not None
        timeline: Timeline = pickle.loads(self._decompressor.decompress(packed))  # noqa: S301 (our own, from memory)
        return timeline


class _Pickler(pickle.Pickler):
    """Leaves out what timelines share."""


def _share(thing: object) -> tuple[Any, tuple[int]]:
    _shared[id(thing)] = thing
    return _shared_by, (id(thing),)


def _shared_by(number: int) -> object:
    return _shared[number]


_Pickler.dispatch_table = dispatch_table | {JourneyRules: _share, Meanings: _share}


def _pickled(timeline: Timeline) -> bytes:
    if len(timeline.order) <= FOLDED_AGAIN:
        timeline.forget_fold()
    buffer = BytesIO()
    _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(timeline)
    return buffer.getvalue()
