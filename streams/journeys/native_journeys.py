"""Journeys that the native core keeps (streams/native/src/python/journeys/), and their way to Python and back.

The native core keeps plain journeys: without copies of an event that differ, horizon summaries and accounts. Whatever
is not plain becomes a `Journey` again, which Python handles and hands back when it can.
"""

from collections.abc import Iterator
from typing import Any, Final

from schemas.catalogue import Catalogue
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT, TRANSFER
from schemas.records import IdentityAssignment
from streams.identity.resolution.ownership import node_of
from streams.journeys.changelog_keys import Kind
from streams.journeys.compression import LEAST_SAMPLES, MOST_SAMPLES, DictionaryCompressor
from streams.journeys.journey import Journey
from streams.journeys.prediction.recent_path import RecentPath
from streams.journeys.rules.meaning import meanings_of
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.signals.published import NEVER, Publication
from streams.journeys.signals.told import Told
from streams.journeys.state.fold import Fold
from streams.journeys.state.native_fold import NativeFold, native_core
from streams.journeys.timeline.cached_fold import CachedFold
from streams.journeys.timeline.effects import Effects
from streams.journeys.timeline.entry import Entry, Node
from streams.journeys.timeline.timeline import Timeline
from streams.runtime.native_core import chosen_core, core_digest


def native_journeys(catalogue: Catalogue, rules: JourneyRules) -> "NativeJourneys | None":
    """A native store without journeys; None if the native core is not chosen or does not cover the rules."""
    module, core = chosen_core(), native_core(catalogue, rules)
    if core is None:
        return None
    horizon = rules.horizon_touchpoints
    return NativeJourneys(module.Journeys(core, horizon, rules.predict_next, rules.predict_risk))


def build_of(catalogue: Catalogue, rules: JourneyRules) -> str:
    """What the bytes of `NativeJourneys.dump` depend on; "" if the native core does not keep journeys."""
    if native_core(catalogue, rules) is None:
        return ""
    schemas = b"".join(chosen_core().Core.SCHEMAS.values()).hex()
    return f"{core_digest()} {meanings_of(catalogue, rules).fingerprint} {schemas}"


class Packer(DictionaryCompressor):
    """Compresses what the native core packs, and encodes the assignments in it."""

    encode = staticmethod(IDENTITY_ASSIGNMENT.encode)


#: Dictionaries are learnt once a process: partitions come and go.
PACKER: Final = Packer()


class NativeJourneys:
    """The journeys of one partition that the native core keeps, by key."""

    __slots__ = ("core", "packer")

    def __init__(self, core: Any, packer: Packer | None = None) -> None:
        self.core = core
        self.packer = packer or PACKER

    def __contains__(self, key: bytes) -> bool:
        return key in self.core

    def __len__(self) -> int:
        return len(self.core)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.core.keys())

    def give(self, key: bytes) -> "tuple[Journey, int | None, Effects] | None":
        """Give a journey back: with its place among those that the fetch has touched, and what it changed there.

        The place is None if the fetch has not touched it. Returns None if the journey is not here.
        """
        given = self.core.give(key, self.packer)
        if given is None:
            return None
        tenant, _, profile_id = key.decode().partition("/")
        timeline = Timeline(tenant, profile_id, version=given["version"], settled=given["settled"])
        for pointer in map(_assignment, given["pointers"]):
            timeline.pointers[node_of(pointer["identifier"])] = pointer
        timeline.put([Entry(*entry) for entry in given["entries"]])
        if "fold" in given:
            timeline.cached = CachedFold(NativeFold(given["fold"]), given["count"])
        told = Told(unconfirmed=given["unconfirmed"])
        if "signals" in given:
            told.signals = {signal.subject_id: signal for signal in given["signals"]}
        if given["last"] is not None:
            version, now, due, meanings = given["last"]
            told.last = Publication(version, now, NEVER if due is None else due, meanings)
        return Journey(timeline, told, _path(given["path"])), given.get("slot"), _effects(key, given)

    def fire(self, key: bytes, now: int, meanings: int) -> Any:
        """As `JourneyPartition.fire`, with what to write ahead and the next deadlines; None if it is not here."""
        return self.core.fire(key, now, meanings, self.packer)

    def restore(
        self, records: list[Any], start: int, scheduled: dict[bytes, int], python: tuple[Any, Any]
    ) -> Any:
        """Restore changelog records from `start` on, until one that Python must restore.

        `scheduled` has the deadlines known, `python` the journeys that Python holds: as objects, and compressed.
        Returns the place of that record, the newest event time or None, and the deadlines that changed (UTC ms; None
        for none).
        """
        return self.core.restore(records, start, scheduled, python, self.packer)

    def dump(self, scheduled: dict[bytes, int]) -> tuple[bytes, bytes, list[bytes]]:
        """What `load` needs, in two parts, and the keys of the journeys that must be written down otherwise.

        `scheduled` has the deadlines. No fetch may be under way.
        """
        dumped, left = self.core.dump(scheduled, self.packer)
        return self.packer.dictionary, dumped, left

    def load(self, dictionary: bytes, dumped: bytes) -> list[tuple[bytes, int]]:
        """Fill an empty store. Returns the keys with a deadline, and that. Raises ValueError."""
        if dictionary and dictionary != self.packer.dictionary:
            if self.packer.ready:
                self.packer = Packer()  # other partitions are compressed by another dictionary
            self.packer.adopt(dictionary)
        return list(self.core.load(dumped))

    def crowded(self, limit: int) -> bool:
        """Whether more journeys than that are in use."""
        return bool(self.core.in_use > limit)

    def evict(self, limit: int) -> None:
        """Pack the least recently used journeys beyond `limit`, an eighth of it or more at once."""
        surplus = self.core.in_use - limit
        if surplus <= limit // 8:
            return
        if not self.packer.ready:
            samples = self.core.samples(min(surplus, MOST_SAMPLES), self.packer)
            if len(samples) < LEAST_SAMPLES:
                return
            self.packer.train(samples)
        self.core.evict(surplus, self.packer)

    def receive(self, key: bytes, journey: Journey) -> bool:
        """Take over a journey, if it is plain. Returns whether it did; the journey may then be used no more."""
        timeline, told = journey.timeline, journey.told
        last, cached = told.last, timeline.cached
        if last is None or told.unconfirmed or not timeline.settled or not timeline.order:
            return False
        if timeline.copies or timeline.summaries or cached.checkpoint or isinstance(cached.fold, Fold):
            return False
        entries = timeline.entries
        return bool(
            self.core.receive(
                key,
                {
                    "version": timeline.version,
                    "values": [entries[event].value for _, event in timeline.order],
                    "pointers": [_pointer(*item) for item in timeline.pointers.items()],
                    "fold": None if cached.fold is None else cached.fold.native,
                    "count": cached.count,
                    "last": (
                        last.version,
                        last.now,
                        None if last.due == NEVER else last.due,
                        last.meanings,
                    ),
                    "path": None if journey.path is None else _dumped(journey.path),
                },
            )
        )


def _effects(key: bytes, given: dict[str, Any]) -> Effects:
    """What a fetch has changed in a journey that is given back."""
    start = len(key) + len(Kind.ENTRY)
    entries: dict[str, bytes | None] = {}
    cleared: set[str | Node] = set()
    for name, value in given.get("changes", ()):
        entry_id = name[start:].decode()
        if entry_id in entries:  # deleted, and then written
            cleared.add(entry_id)
        entries[entry_id] = value
    pointers = map(IDENTITY_ASSIGNMENT.decode_trusted, given.get("assigned", ()))
    return Effects(
        forwards=given.get("forwards", []),
        transfers=[TRANSFER.decode_trusted(value) for value in given.get("transfers", ())],
        entries=entries,
        cleared=cleared,
        pointers={node_of(pointer["identifier"]): pointer for pointer in pointers},
        gone=given.get("gone", {}),
        emptied=given.get("emptied", False),
    )


def _assignment(record: IdentityAssignment | bytes) -> IdentityAssignment:
    """An assignment, which stays encoded when it has been packed."""
    return IDENTITY_ASSIGNMENT.decode_trusted(record) if isinstance(record, bytes) else record


def _pointer(
    node: tuple[str, str], assignment: IdentityAssignment
) -> tuple[str, str, int, str | None, IdentityAssignment]:
    """As the native core takes it: with the owner, unless that depends on the time or evidence was cut."""
    plain = assignment["contested_from"] is None and assignment["correction"] is None
    return *node, assignment["version"], assignment["profile_id"] if plain else None, assignment


def _dumped(path: RecentPath) -> tuple[Any, ...]:
    last, stage, type_, friction, issues, acts, risks = path.dump()
    return last, stage, type_, (friction["value"], friction["at"]), list(issues.items()), acts, risks


def _path(dumped: Any) -> RecentPath | None:
    if dumped is None:
        return None
    last, stage, type_, (value, at), issues, acts, risks = dumped
    return RecentPath.load((last, stage, type_, {"value": value, "at": at}, dict(issues), acts, risks))
