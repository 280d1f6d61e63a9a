"""Journeys as bytes, for the many of whom nothing is heard at the moment.

A journey of ten touchpoints takes some 16 KB as objects and about 250 bytes compressed. What follows from its
touchpoints and its key is left out: the fold, the published signals, the owners. Zstandard compresses the rest with a
dictionary that was trained on this process's first journeys. Compressed journeys never leave the process, so their
form need not outlive it.
"""

import marshal
import pickle
from copyreg import dispatch_table
from io import BytesIO
from typing import Any, Final, TypeAlias

from zstandard import ZstdCompressionDict, ZstdCompressor, ZstdDecompressor, train_dictionary

from schemas.encoding.splicing import event_in, resolved_beginning
from schemas.touchpoint.events import key_of
from streams.identity.resolution.ownership import node_of
from streams.journeys.journey import Journey
from streams.journeys.prediction.recent_path import RecentPath
from streams.journeys.rules.meaning import Meanings
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.signals.published import Publication
from streams.journeys.signals.told import Told
from streams.journeys.state.fold import Fold
from streams.journeys.timeline.cached_fold import CachedFold
from streams.journeys.timeline.entry import Entry, Node
from streams.journeys.timeline.timeline import Timeline

DICTIONARY_BYTES: Final = 8 * 1024
#: With fewer a dictionary is not worth its training.
LEAST_SAMPLES: Final = 256
MOST_SAMPLES: Final = 1_000
#: Above so many touchpoints folding again takes longer than compressing the fold too.
FOLDED_AGAIN: Final = 32

_MARSHAL: Final = 2  #: the newest form without references: what repeats is Zstandard's business

#: Touchpoints that one identifier owns under one assignment: its type and value, the version, and of each touchpoint's
#: bytes what comes after all that and the tenant.
_Group: TypeAlias = tuple[str, str, int, list[bytes]]

#: What all journeys share is not compressed with each of them, but kept here under a number.
_shared: dict[int, object] = {}


class DictionaryCompressor:
    """Compresses short texts of one kind, once it has seen enough of them."""

    def __init__(self) -> None:
        self.dictionary = b""  #: what it has learnt
        self._compressor: ZstdCompressor | None = None
        self._decompressor: ZstdDecompressor | None = None

    @property
    def ready(self) -> bool:
        """Whether it has learnt from samples."""
        return self._compressor is not None

    def train(self, samples: list[Any]) -> None:
        """Train the dictionary on samples, each bytes, once and for all."""
        self.adopt(train_dictionary(DICTIONARY_BYTES, samples).as_bytes())

    def adopt(self, dictionary: bytes) -> None:
        """Take over what another one has learnt."""
        self.dictionary = dictionary
        known = ZstdCompressionDict(dictionary)
        self._compressor = ZstdCompressor(
            level=3, dict_data=known, write_checksum=False, write_dict_id=False, write_content_size=True
        )
        self._decompressor = ZstdDecompressor(dict_data=known)

    def compress(self, written: bytes) -> bytes:
        """The bytes, compressed. `train` must have been called."""
        assert self._compressor is not None
        # zstandard keeps the room that it allocated for the worst case: a copy is as long as it is
        return bytes(memoryview(self._compressor.compress(written)))

    def decompress(self, compressed: bytes) -> bytes:
        """Back from `compress`."""
        assert self._decompressor is not None
        return self._decompressor.decompress(compressed)


class JourneyCompressor:
    """Compresses journeys, once it has seen enough of them."""

    def __init__(self) -> None:
        self._bytes = DictionaryCompressor()
        self.decompressed = 0  #: journeys so far

    @property
    def ready(self) -> bool:
        """Whether it has learnt from samples."""
        return self._bytes.ready

    def learn(self, samples: list[Journey]) -> None:
        """Train the dictionary, once and for all."""
        self._bytes.train([_written(journey) for journey in samples[:MOST_SAMPLES]])

    def compress(self, journey: Journey) -> bytes:
        """A journey, compressed; it may be used no more."""
        return self._bytes.compress(_written(journey))

    def decompress(self, key: bytes, compressed: bytes) -> Journey:
        """The journey with this key, `tenant/profile`, again."""
        self.decompressed += 1
        tenant, _, profile_id = key.decode().partition("/")
        return _read(tenant, profile_id, self._bytes.decompress(compressed))


def _written(journey: Journey) -> bytes:
    timeline, told, path = journey.timeline, journey.told, journey.path
    last, cached = told.last, timeline.cached
    groups, others = _touchpoints(timeline)
    # what was published follows from the touchpoints and from when that was
    published = None if last is not None else told.signals
    # a native fold is folded again in less time than it would take to write it down
    keep = isinstance(cached.fold, Fold) and len(timeline.order) > FOLDED_AGAIN
    fold = (cached.fold, cached.count) if keep else None
    rare = (timeline.summaries, published, fold) if timeline.summaries or published or fold else None
    return marshal.dumps(
        (
            timeline.version, told.unconfirmed, timeline.settled, told.signals is not None,
            None if last is None else (last.version, last.now, last.due, last.meanings),
            list(timeline.pointers.values()), groups, others, cached.checkpoint,
            None if path is None else path.dump(), None if rare is None else _pickled(rare),
        ),
        _MARSHAL,
    )  # fmt: skip


def _read(tenant: str, profile_id: str, written: bytes) -> Journey:
    (
        version, unconfirmed, settled, recalled, last, pointers, groups, others, checkpoint, path, rare,
    ) = marshal.loads(written)  # noqa: S302 (our own, from memory)  # fmt: skip
    timeline = Timeline(tenant, profile_id)
    timeline.version, timeline.settled = version, settled
    told = Told(unconfirmed=unconfirmed)
    if last is not None:
        told.last = Publication(*last)
    elif recalled:
        told.signals = {}
    timeline.pointers = {node_of(pointer["identifier"]): pointer for pointer in pointers}
    timeline.put([*_entries(tenant, profile_id, groups), *(Entry(*other) for other in others)])
    fold = None
    if rare is not None:
        timeline.summaries, published, fold = pickle.loads(rare)  # noqa: S301 (our own, from memory)
        told.signals = published or told.signals
    folded, count = fold or (None, 0)
    timeline.cached = CachedFold(folded, count, checkpoint)
    return Journey(timeline, told, None if path is None else RecentPath.load(path))


def _touchpoints(timeline: Timeline) -> tuple[list[_Group], list[tuple[int, str, Node, int, bytes]]]:
    """The touchpoints without what they share; whole those that do not begin as this release writes them."""
    groups: dict[tuple[Node, int], tuple[bytes, list[bytes]]] = {}
    others = []
    for entry in timeline.held():
        about = entry.node, entry.version
        if about not in groups:
            groups[about] = (
                resolved_beginning(entry.node, timeline.profile_id, entry.version, timeline.tenant),
                [],
            )
        beginning, rests = groups[about]
        if entry.value.startswith(beginning):
            rests.append(entry.value[len(beginning) :])
        else:
            others.append((entry.occurred_at, entry.event, entry.node, entry.version, entry.value))
    return [(*node, version, rests) for (node, version), (_, rests) in groups.items()], others


def _entries(tenant: str, profile_id: str, groups: list[_Group]) -> list[Entry]:
    entries = []
    for type_, name, version, rests in groups:
        node = type_, name
        beginning = resolved_beginning(node, profile_id, version, tenant)
        for rest in rests:
            event_id, occurred_at, source = event_in(rest)
            entries.append(Entry(occurred_at, key_of(event_id, source), node, version, beginning + rest))
    return entries


class _Pickler(pickle.Pickler):
    """Leaves out what journeys share."""


def _share(thing: object) -> tuple[Any, tuple[int]]:
    _shared[id(thing)] = thing
    return _shared_by, (id(thing),)


def _shared_by(number: int) -> object:
    return _shared[number]


_Pickler.dispatch_table = dispatch_table | {JourneyRules: _share, Meanings: _share}


def _pickled(thing: object) -> bytes:
    buffer = BytesIO()
    _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(thing)
    return buffer.getvalue()
