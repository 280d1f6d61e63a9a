"""Lanes: the records of a region keep their order, and a region or tenant that had less time goes first."""

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from streams.identity.lanes import Job, Lanes, WaitingFetch
from streams.identity.resolution.regions import Region
from tests.support.agents import FetchEvent, Record


def job(offset: int) -> Job:
    record = Record(offset=offset)
    return Job(record, WaitingFetch(FetchEvent([record])))


def paused(offset: int) -> Job:
    one = job(offset)
    one.work = iter(())  # type: ignore[assignment]
    return one


def served(lanes: Lanes, seconds: dict[int, float] | None = None) -> list[int]:
    """The offsets in the order in which their jobs have their turn, each of which takes so long."""
    order = []
    while lanes:
        lane, one = lanes.next()
        order.append(one.record.offset)
        lanes.served(lane, (seconds or {}).get(one.record.offset, 1.0))
    return order


def test_regions_take_turns_and_each_keeps_its_order():
    lanes, heavy, light = Lanes(), Region(), Region()
    for offset in range(4):
        lanes.add(job(offset), "shop", heavy)
    lanes.add(job(4), "shop", light)
    lanes.add(job(5), "shop", light)
    assert served(lanes) == [0, 4, 1, 5, 2, 3]


def test_a_tenant_with_many_regions_has_no_more_time_than_one_with_few():
    lanes = Lanes()
    for offset in range(4):
        lanes.add(job(offset), "crowd", Region())
    lanes.add(job(4), "alone", Region())
    assert served(lanes) == [0, 4, 1, 2, 3]


def test_a_region_that_took_long_waits_until_the_others_had_as_much():
    lanes, heavy = Lanes(), Region()
    lanes.add(job(0), "shop", heavy)
    lanes.add(job(1), "shop", heavy)
    for offset in range(2, 5):
        lanes.add(job(offset), "shop", Region())
    assert served(lanes, {0: 10.0}) == [0, 2, 3, 4, 1]


def test_who_comes_later_starts_level_and_cannot_claim_the_time_of_its_absence():
    lanes, first, late = Lanes(), Region(), Region()
    for offset in range(4):
        lanes.add(job(offset), "old", first)
    lane, _ = lanes.next()
    lanes.served(lane, 100.0)
    for offset in range(4, 7):
        lanes.add(job(offset), "new", late)
    lane, one = lanes.next()
    lanes.served(lane, 60.0)
    assert one.record.offset == 4
    assert served(lanes, dict.fromkeys(range(7), 60.0)) == [5, 1, 6, 2, 3]


def test_a_decision_that_was_paused_goes_before_what_its_region_has_not_begun():
    lanes, region = Lanes(), Region()
    lanes.add(job(1), "shop", region)
    lane, one = lanes.next()
    lanes.add(job(2), "shop", region)
    lanes.served(lane, 1.0, one)
    assert served(lanes) == [1, 2]
    lanes.add(paused(3), "shop", region)
    lanes.add(job(4), "shop", region)
    assert served(lanes) == [3, 4]


def test_regions_that_become_one_have_one_lane_in_the_order_of_offsets():
    lanes, one, other = Lanes(), Region(), Region()
    for offset in (1, 4, 5):
        lanes.add(job(offset), "shop", one)
    for offset in (2, 3, 6):
        lanes.add(job(offset), "shop", other)
    assert one.join(other) is one.root is other.root
    assert len(lanes) == 6
    assert served(lanes) == [1, 2, 3, 4, 5, 6]


def test_a_region_may_be_joined_while_its_decision_is_under_way():
    lanes, one, other = Lanes(), Region(), Region()
    for offset in (1, 4):
        lanes.add(job(offset), "shop", one)
    for offset in (2, 3):
        lanes.add(job(offset), "shop", other)
    lane, begun = lanes.next()
    other.join(one)
    lanes.served(lane, 1.0, begun)
    assert served(lanes) == [1, 2, 3, 4]


def test_what_has_not_begun_can_be_dropped_and_comes_again():
    lanes, region, idle = Lanes(), Region(), Region()
    lanes.add(paused(1), "shop", region)
    lanes.add(job(2), "shop", region)
    lanes.add(job(3), "shop", idle)
    lanes.drop_jobs()
    assert len(lanes) == 1
    assert served(lanes) == [1]
    for offset, where in ((2, region), (3, idle)):
        lanes.add(job(offset), "shop", where)
    assert sorted(served(lanes)) == [2, 3]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 5)), max_size=60), st.data())
def test_nothing_is_lost_and_every_region_keeps_its_order(steps, data):
    lanes, offsets = Lanes(), count()
    regions = [[Region() for _ in range(5)] for _ in range(3)]
    waiting: dict[int, Region] = {}
    last: dict[int, int] = {}
    for tenant, region, act in steps:
        where = regions[tenant][region]
        if act == 0:
            where.join(regions[tenant][data.draw(st.integers(0, 4))])
        elif act <= 3:
            offset = next(offsets)
            waiting[offset] = where
            lanes.add(job(offset), f"t{tenant}", where)
        elif lanes:
            lane, one = lanes.next()
            unfinished = one if act == 5 else None
            one.work = iter(())  # type: ignore[assignment]
            lanes.served(lane, data.draw(st.integers(0, 3)), unfinished)
            if unfinished is None:
                root = waiting.pop(one.record.offset).root
                earlier = [o for o, r in waiting.items() if r.root is root and o < one.record.offset]
                last[one.record.offset] = len(earlier)
        assert len(lanes) == len(waiting)
    while lanes:
        lane, one = lanes.next()
        lanes.served(lane, 1.0)
        del waiting[one.record.offset]
    assert not waiting
    # what was under way in each of two regions when they became one may end in either order
    assert all(earlier <= 4 for earlier in last.values())
