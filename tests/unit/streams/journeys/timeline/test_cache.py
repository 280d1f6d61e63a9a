"""Timelines that nobody asked for lately are packed, and nothing about them changes."""

from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Touchpoint
from streams.journeys.prediction.recent_path import Trail
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.signals.published import Publication
from streams.journeys.timeline import compression as packing
from streams.journeys.timeline.cache import Timelines
from streams.journeys.timeline.compression import Packer
from streams.journeys.timeline.timeline import Effects, Timeline
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
def packer() -> Packer:
    learnt = Packer()
    learnt.learn([made_of(long_journey(seed, 8), f"p{seed}") for seed in range(60)])
    return learnt


def everything(timeline: Timeline) -> object:
    fold = timeline.fold(CATALOGUE, RULES)
    return timeline.sealed(CATALOGUE, RULES), timeline.state(CATALOGUE, RULES), fold.signals(NOW), fold.dump()


@law
@given(journeys, st.integers(0, 16))
def test_a_packed_timeline_goes_on_as_if_it_had_not_been(
    packer: Packer, journey: list[Touchpoint], at: int
) -> None:
    whole = made_of(in_order(journey))
    packed = made_of(in_order(journey)[:at])
    packed.fold(CATALOGUE, RULES)
    packed = packer.unpack(KEY, packer.pack(packed))
    for one in in_order(journey)[at:]:
        give(packed, one)
    assert everything(packed) == everything(whole)


def test_nothing_is_lost_that_does_not_follow_from_the_touchpoints(packer: Packer) -> None:
    timeline = fed(long_journey(7, 600), HORIZON)
    timeline.version, timeline.settled, timeline.recalled = 5 << 48, True, True
    timeline.last = Publication(timeline.version, NOW, NOW + 1, -(2**63))
    timeline.move(assigned("a", "p1", 7), Effects())
    assert timeline.frozen
    trail = timeline.trail = Trail()
    for one in long_journey(7, 9):
        trail.advance(one, CATALOGUE)
    timeline.fold(CATALOGUE, RULES)
    found = packer.unpack(KEY, packer.pack(timeline))
    assert found.trail is not None
    assert found.trail.dump() == trail.dump()
    found.trail = timeline.trail
    for one in (found, timeline):
        one._fold, one._folded = None, 0  # compared by what it says, in the test above
    assert found == timeline


def test_what_was_published_is_worked_out_again_unless_nothing_is_left(packer: Packer) -> None:
    timeline = made_of(long_journey(5, 8))
    timeline.recalled, timeline.published = True, {}
    assert packer.unpack(KEY, packer.pack(timeline)).published == {}
    timeline.last = Publication(1, NOW, NOW, 0)
    timeline.published = {
        signal.subject_id: signal for signal in timeline.fold(CATALOGUE, RULES).signals(NOW)
    }
    found = packer.unpack(KEY, packer.pack(timeline))
    assert (found.published, found.recalled) == (None, True)


def test_touchpoints_in_the_form_of_an_older_release_stay_as_they_are(packer: Packer) -> None:
    timeline = made_of(long_journey(5, 8))
    for entry in timeline.entries.values():
        entry.value = b"\xc3\x01" + bytes(8) + entry.value[10:]
    values = [entry.value for entry in timeline.entries.values()]
    found = packer.unpack(KEY, packer.pack(timeline))
    assert [entry.value for entry in found.entries.values()] == values


def test_a_long_one_keeps_its_fold(packer: Packer, monkeypatch: pytest.MonkeyPatch) -> None:
    journey = in_order(long_journey(5, 3 * packing.FOLDED_AGAIN))
    whole, packed = made_of(journey), made_of(journey)
    packed.fold(CATALOGUE, RULES)
    packed = packer.unpack(KEY, packer.pack(packed))
    monkeypatch.setattr("streams.journeys.timeline.timeline.Entry.touchpoint", None)  # nothing is read again
    folded = packed.fold(CATALOGUE, RULES)
    monkeypatch.undo()
    assert folded.dump() == whole.fold(CATALOGUE, RULES).dump()


def test_rules_are_shared_and_not_packed(packer: Packer) -> None:
    timeline = made_of(long_journey(5, 3 * packing.FOLDED_AGAIN))
    timeline.fold(CATALOGUE, RULES)
    assert packer.unpack(KEY, packer.pack(timeline)).fold(CATALOGUE, RULES)._rules is RULES


def test_ten_touchpoints_take_less_than_three_quarters_of_a_kilobyte(packer: Packer) -> None:
    sizes = [len(packer.pack(made_of(long_journey(seed, 10), f"q{seed}"))) for seed in range(30)]
    assert sum(sizes) / len(sizes) < 750


def test_only_so_many_stay_at_hand_and_all_are_found() -> None:
    timelines, alone = Timelines(warm=5, packer=Packer()), {}
    random = Random(3)
    for turn in range(900):
        name = f"p{random.randrange(600)}"
        key = f"default/{name}".encode()
        if key not in timelines:
            timelines[key] = Timeline("default", name)
        alone.setdefault(key, Timeline("default", name))
        for one in long_journey(turn, 3):
            give(timelines[key], one)
            give(alone[key], one)
        timelines.cool()
    assert len(timelines._warm) == 5
    assert set(timelines) == set(alone)
    assert len(timelines) == len(alone)
    for key, timeline in alone.items():
        assert timelines[key].state(CATALOGUE, RULES) == timeline.state(CATALOGUE, RULES)
    with pytest.raises(KeyError):
        timelines[b"nobody"]
