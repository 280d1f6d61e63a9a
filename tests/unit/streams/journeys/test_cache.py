"""Timelines that nobody asked for lately are compressed, and nothing about them changes."""

import gc
from collections.abc import Iterable
from random import Random
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Touchpoint
from streams.journeys.cache import JourneyCache
from streams.journeys.compression import FOLDED_AGAIN, JourneyCompressor
from streams.journeys.journey import Journey
from streams.journeys.prediction.recent_path import RecentPath
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.signals.published import Publication
from streams.journeys.signals.told import Told
from streams.journeys.timeline.cached_fold import CachedFold
from streams.journeys.timeline.effects import Effects
from streams.journeys.timeline.timeline import Timeline
from tests.support.journeys import CATALOGUE, RULES, in_order
from tests.support.journeys_of import assigned, fed, give, journeys, law, long_journey

NOW = 2_000_000_000_000
KEY = b"default/p1"
HORIZON = JourneyRules.parse("[horizon]\ntouchpoints = 60\nmost_touchpoints = 300", "small.toml")


def made_of(touchpoints: Iterable[Touchpoint], name: str = "p1") -> Timeline:
    timeline = Timeline("default", name)
    for one in touchpoints:
        give(timeline, one)
    return timeline


@pytest.fixture(scope="module")
def compressor() -> JourneyCompressor:
    learnt = JourneyCompressor()
    learnt.learn([Journey(made_of(long_journey(seed, 8), f"p{seed}")) for seed in range(60)])
    return learnt


def compressed_and_back(compressor: JourneyCompressor, timeline: Timeline) -> Timeline:
    return compressor.decompress(KEY, compressor.compress(Journey(timeline))).timeline


def everything(timeline: Timeline) -> object:
    fold = timeline.fold(CATALOGUE, RULES)
    return timeline.sealed(CATALOGUE, RULES), timeline.state(CATALOGUE, RULES), fold.signals(NOW), fold.dump()


@law
@given(journeys, st.integers(0, 16))
def test_a_compressed_timeline_goes_on_as_if_it_had_not_been(
    compressor: JourneyCompressor, journey: list[Touchpoint], at: int
) -> None:
    whole = made_of(in_order(journey))
    compressed = made_of(in_order(journey)[:at])
    compressed.fold(CATALOGUE, RULES)
    compressed = compressed_and_back(compressor, compressed)
    for one in in_order(journey)[at:]:
        give(compressed, one)
    assert everything(compressed) == everything(whole)


def test_nothing_is_lost_that_does_not_follow_from_the_touchpoints(compressor: JourneyCompressor) -> None:
    timeline = fed(long_journey(7, 600), HORIZON)
    timeline.version, timeline.settled = 5 << 48, True
    told = Told(last=Publication(timeline.version, NOW, NOW + 1, -(2**63)))
    timeline.move(assigned("a", "p1", 7), Effects())
    assert timeline.summaries
    path = RecentPath()
    for one in long_journey(7, 9):
        path.advance(one, CATALOGUE)
    timeline.fold(CATALOGUE, RULES)
    found = compressor.decompress(KEY, compressor.compress(Journey(timeline, told, path)))
    assert found.path is not None
    assert found.path.dump() == path.dump()
    assert found.told == told
    assert found.timeline.cached.checkpoint == timeline.cached.checkpoint is not None
    for one in (found.timeline, timeline):
        one.cached = CachedFold()  # compared by what it says, in the test above
    assert found.timeline == timeline


def test_what_was_published_is_worked_out_again_unless_nothing_is_left(compressor: JourneyCompressor) -> None:
    timeline = made_of(long_journey(5, 8))
    told = Told(signals={})
    journey = Journey(timeline, told)
    assert compressor.decompress(KEY, compressor.compress(journey)).told.signals == {}
    told.last = Publication(1, NOW, NOW, 0)
    told.signals = {signal.subject_id: signal for signal in timeline.fold(CATALOGUE, RULES).signals(NOW)}
    found = compressor.decompress(KEY, compressor.compress(journey)).told
    assert found.signals is None


def test_touchpoints_in_the_form_of_an_older_release_stay_as_they_are(compressor: JourneyCompressor) -> None:
    timeline = made_of(long_journey(5, 8))
    for entry in timeline.entries.values():
        entry.value = b"\xc3\x01" + bytes(8) + entry.value[10:]
    values = [entry.value for entry in timeline.entries.values()]
    found = compressed_and_back(compressor, timeline)
    assert [entry.value for entry in found.entries.values()] == values


def test_a_long_one_keeps_its_fold(compressor: JourneyCompressor, monkeypatch: pytest.MonkeyPatch) -> None:
    journey = in_order(long_journey(5, 3 * FOLDED_AGAIN))
    whole, compressed = made_of(journey), made_of(journey)
    compressed.fold(CATALOGUE, RULES)
    compressed = compressed_and_back(compressor, compressed)
    monkeypatch.setattr("streams.journeys.timeline.entry.Entry.touchpoint", None)  # nothing is read again
    folded = compressed.fold(CATALOGUE, RULES)
    monkeypatch.undo()
    assert folded.dump() == whole.fold(CATALOGUE, RULES).dump()


def test_rules_are_shared_and_not_compressed(compressor: JourneyCompressor) -> None:
    timeline = made_of(long_journey(5, 3 * FOLDED_AGAIN))
    timeline.fold(CATALOGUE, RULES)
    before = rules_in_memory()
    back = compressed_and_back(compressor, timeline)
    assert back.fold(CATALOGUE, RULES).dump() == timeline.fold(CATALOGUE, RULES).dump()
    assert rules_in_memory() == before


def rules_in_memory() -> int:
    return sum(isinstance(one, JourneyRules) for one in gc.get_objects())


def test_ten_touchpoints_take_less_than_three_quarters_of_a_kilobyte(compressor: JourneyCompressor) -> None:
    sizes = [
        len(compressor.compress(Journey(made_of(long_journey(seed, 10), f"q{seed}")))) for seed in range(30)
    ]
    assert sum(sizes) / len(sizes) < 750


def test_only_so_many_stay_at_hand_and_all_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    compressor = JourneyCompressor()
    cached, alone = JourneyCache(warm=5, compressor=compressor), {}
    random = Random(3)
    for turn in range(900):
        name = f"p{random.randrange(600)}"
        key = f"default/{name}".encode()
        if key not in cached:
            cached[key] = Journey(Timeline("default", name))
        alone.setdefault(key, Timeline("default", name))
        for one in long_journey(turn, 3):
            give(cached[key].timeline, one)
            give(alone[key], one)
        cached.evict()
    decompressed = mock.Mock(side_effect=compressor.decompress)
    monkeypatch.setattr(compressor, "decompress", decompressed)
    assert set(cached) == set(alone)
    assert len(cached) == len(alone)
    for key, timeline in alone.items():
        assert cached[key].timeline.state(CATALOGUE, RULES) == timeline.state(CATALOGUE, RULES)
    assert decompressed.call_count == len(alone) - 5
    with pytest.raises(KeyError):
        cached[b"nobody"]
