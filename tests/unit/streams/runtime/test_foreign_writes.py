"""Which changelog records count as another worker's, and how they are read."""

from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.foreign_writes import LOOKS, ForeignWrites


def test_records_that_the_owner_does_not_know_count_after_some_looks() -> None:
    foreign = ForeignWrites()
    found = [foreign.confirmed({0: 4, 1: 9}, {0: 7, 1: 10}) for _ in range(LOOKS)]
    assert found == [[], [], [0]]


def test_records_of_the_owner_on_their_way_do_not_count() -> None:
    foreign = ForeignWrites()
    assert all(foreign.confirmed({0: known}, {0: known + 3}) == [] for known in range(20))


def test_a_look_without_an_answer_begins_anew() -> None:
    foreign = ForeignWrites()
    for _ in range(LOOKS - 1):
        foreign.confirmed({0: 4}, {0: 7})
    assert foreign.confirmed({0: 4}, {}) == []
    assert foreign.confirmed({0: 4}, {0: 7}) == []


def test_a_partition_that_was_lost_meanwhile_begins_anew() -> None:
    foreign = ForeignWrites()
    for _ in range(LOOKS - 1):
        foreign.confirmed({0: 4}, {0: 7})
    foreign.confirmed({}, {})
    assert foreign.confirmed({0: 4}, {0: 7}) == []


@given(st.lists(st.tuples(st.integers(-1, 5), st.integers(0, 8)), max_size=30))
def test_only_what_lies_beyond_the_known_offset_counts(looks: list[tuple[int, int]]) -> None:
    foreign = ForeignWrites()
    for known, end in looks:
        if foreign.confirmed({3: known}, {3: end}):
            assert end > known + 1
