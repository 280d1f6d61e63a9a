from hypothesis import given
from hypothesis import strategies as st

from streams.runtime.offset_tracker import OffsetTracker


def test_nothing_is_committable_before_the_first_fetch_is_done() -> None:
    tracker: OffsetTracker[str] = OffsetTracker()
    tracker.track("p0", 9)

    assert tracker.pop_committable("p0") is None


def test_a_done_fetch_is_committed_as_the_offset_after_its_last_record() -> None:
    tracker: OffsetTracker[str] = OffsetTracker()
    tracker.track("p0", 9).done = True

    assert tracker.pop_committable("p0") == 10
    assert tracker.pop_committable("p0") is None


def test_the_oldest_fetch_that_is_not_committed_tells_since_when_the_partition_waits() -> None:
    tracker: OffsetTracker[str] = OffsetTracker()
    assert tracker.read_at("p0") is None
    tracker.track("p0", 9, 1.0)
    tracker.track("p0", 19, 2.0).done = True
    assert tracker.read_at("p0") == 1.0
    tracker.pop_committable("p0")
    assert tracker.read_at("p0") == 1.0  # the first fetch holds the second one back
    tracker.forget({"p0"})
    assert tracker.read_at("p0") is None


def test_a_slow_first_fetch_holds_back_fast_later_ones() -> None:
    tracker: OffsetTracker[str] = OffsetTracker()
    slow, fast = tracker.track("p0", 9), tracker.track("p0", 19)
    fast.done = True
    assert tracker.pop_committable("p0") is None

    slow.done = True
    assert tracker.pop_committable("p0") == 20


def test_after_a_seek_an_old_acknowledgement_commits_nothing() -> None:
    tracker: OffsetTracker[str] = OffsetTracker()
    old = tracker.track("p0", 9)
    tracker.forget()
    tracker.track("p0", 9)
    old.done = True

    assert tracker.pop_committable("p0") is None


def test_a_revoked_partition_is_forgotten_and_the_others_are_not() -> None:
    tracker: OffsetTracker[str] = OffsetTracker()
    tracker.track("p0", 9).done = True
    tracker.track("p1", 9).done = True
    tracker.forget({"p0"})

    assert (tracker.pop_committable("p0"), tracker.pop_committable("p1")) == (None, 10)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_a_commit_is_always_the_end_of_the_longest_done_prefix(sizes: list[int], random) -> None:
    tracker: OffsetTracker[str] = OffsetTracker()
    ends, fetches, end = [], [], 0
    for size in sizes:
        end += size
        ends.append(end)
        fetches.append(tracker.track("p0", end - 1))
    order = list(range(len(sizes)))
    random.shuffle(order)
    done: set[int] = set()
    committed = 0
    for index in order:
        fetches[index].done = True
        done.add(index)
        committed = tracker.pop_committable("p0") or committed
        prefix = next((i for i in range(len(sizes)) if i not in done), len(sizes))
        assert committed == (ends[prefix - 1] if prefix else 0)
