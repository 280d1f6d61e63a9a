"""Timelines that nobody asked for lately are packed, and nothing about them changes."""

from collections.abc import Iterable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records import Touchpoint
from streams.journeys import packing
from streams.journeys.packing import Packer
from streams.journeys.timeline import Timeline
from streams.journeys.timelines import Timelines
from tests.unit.journeys.builders import CATALOGUE, RULES, in_order
from tests.unit.journeys.journeys_of import give, journeys, law, long_journey

NOW = 2_000_000_000_000


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
    packed = packer.unpack(packer.pack(packed))
    for one in in_order(journey)[at:]:
        give(packed, one)
    assert everything(packed) == everything(whole)


def test_a_long_one_keeps_its_fold(packer: Packer, monkeypatch: pytest.MonkeyPatch) -> None:
    journey = in_order(long_journey(5, 3 * packing.FOLDED_AGAIN))
    whole, packed = made_of(journey), made_of(journey)
    packed.fold(CATALOGUE, RULES)
    packed = packer.unpack(packer.pack(packed))
    monkeypatch.setattr("streams.journeys.timeline._touchpoint", None)  # nothing is read again
    folded = packed.fold(CATALOGUE, RULES)
    monkeypatch.undo()
    assert folded.dump() == whole.fold(CATALOGUE, RULES).dump()


def test_rules_are_shared_and_not_packed(packer: Packer) -> None:
    timeline = made_of(long_journey(5, 3 * packing.FOLDED_AGAIN))
    timeline.fold(CATALOGUE, RULES)
    assert packer.unpack(packer.pack(timeline)).fold(CATALOGUE, RULES)._rules is RULES


def test_ten_touchpoints_take_less_than_a_kilobyte(packer: Packer) -> None:
    sizes = [len(packer.pack(made_of(long_journey(seed, 10), f"q{seed}"))) for seed in range(30)]
    assert sum(sizes) / len(sizes) < 1000


def test_only_so_many_stay_at_hand_and_all_are_found() -> None:
    timelines, alone = Timelines(warm=5, packer=Packer()), {}
    random = Random(3)
    for turn in range(900):
        key = b"default/p%d" % random.randrange(600)
        if key not in timelines:
            timelines[key] = Timeline("default", key.decode())
        alone.setdefault(key, Timeline("default", key.decode()))
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
