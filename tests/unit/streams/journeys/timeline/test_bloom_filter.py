"""A Bloom filter knows every event that was added to it, whatever it is joined with."""

from functools import reduce

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.journeys.timeline.bloom_filter import FILTER_BYTES, BloomFilter, is_filter_size

#: The machine may be busy: a law is about values, never about time.
law = settings(max_examples=40, deadline=None)

events = st.lists(st.text(max_size=20), max_size=30)
#: Small ones, which an older release may have written, take unknown events for known ones all the time.
filters = st.builds(lambda size, added: BloomFilter(bytes(2**size)).add(added), st.integers(0, 13), events)


def test_an_event_sets_the_bits_that_its_digest_names() -> None:
    # BLAKE2b-128 of "e1" is the numbers afdd4403, c41069df, 839dbe22 and 49f98aee: modulo 8 bits 3, 7, 2 and 6
    assert BloomFilter(bytes(1)).add(["e1"]).bits == bytes([0b1100_1100])
    assert "e1" in BloomFilter(bytes([0b1100_1100]))
    assert "e1" not in BloomFilter(bytes([0b1100_1000]))


@law
@given(filters, events)
def test_what_was_added_is_known(known: BloomFilter, added: list[str]) -> None:
    after = known.add(added)
    assert all(event in after for event in added)
    assert len(after.bits) == len(known.bits)
    assert after.add(added) == after


@law
@given(filters, filters, events, events)
def test_a_union_knows_what_either_knows(
    one: BloomFilter, other: BloomFilter, added: list[str], more: list[str]
) -> None:
    one, other = one.add(added), other.add(more)
    both = one.union(other)
    assert all(event in both for event in (*added, *more))
    assert len(both.bits) == min(len(one.bits), len(other.bits))


@law
@given(filters, filters, filters)
def test_the_order_and_the_repetition_of_unions_change_nothing(
    one: BloomFilter, other: BloomFilter, third: BloomFilter
) -> None:
    assert one.union(other) == other.union(one)
    assert one.union(one) == one
    assert reduce(BloomFilter.union, (one, other, third)) == one.union(other.union(third))


@law
@given(filters, events)
def test_adding_and_joining_come_to_the_same(known: BloomFilter, added: list[str]) -> None:
    assert known.add(added) == known.union(BloomFilter().add(added))


def test_of_ten_thousand_events_one_unknown_in_twenty_is_taken_for_known() -> None:
    full = BloomFilter().add(f"e{number}" for number in range(10_000))
    mistaken = sum(f"other{number}" in full for number in range(1_000))
    assert 20 < mistaken < 80


@pytest.mark.parametrize(
    ("size", "possible"),
    [(0, False), (1, True), (3, False), (4096, True), (FILTER_BYTES, True), (2 * FILTER_BYTES, False)],
)
def test_a_size_is_a_power_of_two_up_to_8_kib(size: int, possible: bool) -> None:
    assert is_filter_size(size) == possible
