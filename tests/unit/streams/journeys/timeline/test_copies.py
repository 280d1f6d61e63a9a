"""Of the copies of an event that a timeline holds the one received first is folded; the next when that one leaves."""

from itertools import permutations

import pytest

from schemas.encoding.record_types import RESOLVED_TOUCHPOINT
from schemas.errors import ContractError
from schemas.records import Touchpoint
from schemas.touchpoint.events import checksum_of_resolved, event_key, rank_of
from schemas.touchpoint.rules import check
from streams.identity.policy.load import load
from streams.identity.policy.prepare import prepare
from streams.journeys.compression import JourneyCompressor
from streams.journeys.journey import Journey
from streams.journeys.partition import JourneyPartition
from streams.journeys.timeline.effects import Effects
from streams.journeys.timeline.entry import id_of
from streams.journeys.timeline.timeline import Timeline
from streams.stitch.stitching import REQUEST_DELAY_MS, erasures_of
from tests.support.journeys import CATALOGUE, RULES
from tests.support.journeys_of import assigned, give, long_journey
from tests.support.kafka_records import resolved, resolved_bytes
from tests.support.touchpoints import START, touchpoint

KEY = b"default/p1"


def order(
    received: int, cents: int, *, cookie: str = "a", source: str = "erp", minute: float = 0
) -> Touchpoint:
    return touchpoint(
        "77", ids=[("cookie", cookie)], source=source, type="order_placed", amount_minor=cents, currency="EUR",
        minute=minute, received_at=START + received,
    )  # fmt: skip


def revenue(timeline: Timeline) -> dict[str, int]:
    return {name: int(total) for name, total in timeline.state(CATALOGUE, RULES)["revenue"].items()}


def made_of(*touchpoints: Touchpoint) -> Timeline:
    timeline = Timeline("default", "p1")
    for one in touchpoints:
        give(timeline, one)
        timeline.fold(CATALOGUE, RULES)
    return timeline


def test_events_of_two_sources_with_one_id_are_two_events() -> None:
    complaint = touchpoint("77", source="crm", type="complaint", ids=[("cookie", "a")])
    timeline = made_of(order(0, 100), complaint)
    assert timeline.state(CATALOGUE, RULES)["touchpoints"] == 2
    ids = [signal.subject_id for signal in timeline.fold(CATALOGUE, RULES).signals(START)]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("arrival", [(5, 9), (9, 5)])
def test_the_copy_received_first_counts_in_any_order_of_arrival(arrival: tuple[int, int]) -> None:
    copies = {5: order(5, 100, minute=-1), 9: order(9, 900, minute=-2)}
    timeline = made_of(*(copies[received] for received in arrival))
    assert revenue(timeline) == {"EUR": 100}
    assert [entry.touchpoint() for entry in timeline.held()] == [copies[5], copies[9]]


def test_a_copy_whose_better_was_erased_counts() -> None:
    timeline = made_of(order(5, 100, cookie="a"), order(9, 900, cookie="b"))
    assert revenue(timeline) == {"EUR": 100}
    erasure = assigned("a", "p2", 7)
    erasure["correction"] = {"version": 7, "cuts": [START + 60_000], "erased_at": START + 60_000}
    timeline.move(erasure, Effects())
    assert revenue(timeline) == {"EUR": 900}


def test_a_copy_moves_with_its_identifier_and_counts_at_both_owners() -> None:
    timeline, effects = made_of(order(5, 100, cookie="a"), order(9, 900, cookie="b")), Effects()
    timeline.move(assigned("a", "p2", 7), effects)
    other = Timeline("default", "p2")
    for transfer in effects.transfers:
        other.receive(transfer, Effects())
    assert (revenue(timeline), revenue(other)) == ({"EUR": 900}, {"EUR": 100})


@pytest.mark.parametrize("arrival", list(permutations(range(4))))
def test_touchpoints_leave_in_the_order_of_the_fold_in_whatever_order_they_came(
    arrival: tuple[int, ...],
) -> None:
    """A restart changes the order in which a timeline came to have them, and nothing that it publishes."""
    copies = [order(5, 100), order(5, 101), order(5, 102)]
    for copy, email in zip(copies[1:], "xy", strict=True):
        copy["identifiers"] = [*copy["identifiers"], {"type": "email", "value": email}]
    items = [order(9, 900, cookie="b"), *copies]
    effects, timeline = Effects(), made_of(*(items[number] for number in arrival))
    timeline.move(assigned("a", "p2", 7), effects)
    (transfer,) = effects.transfers
    best_first = sorted(copies, key=rank_of)
    assert transfer["touchpoints"] == best_first
    assert list(effects.entries) == [id_of(one, event_key(one), ("cookie", "a")) for one in best_first]


def test_copies_come_back_from_the_changelog_and_from_being_compressed() -> None:
    effects, timeline = Effects(), Timeline("default", "p1")
    for one in (order(9, 900, minute=-2), order(5, 100, minute=-1), order(7, 700, cookie="b")):
        _accept(timeline, one, effects)
    partition = JourneyPartition(0)
    for key, value in partition.changelog(KEY, effects):
        partition.restore(key, value)
    compressor = JourneyCompressor()
    compressor.learn([Journey(made_of(*long_journey(seed, 5))) for seed in range(300)])
    for found in (
        partition.journeys[KEY],
        compressor.decompress(KEY, compressor.compress(Journey(timeline))),
    ):
        assert revenue(found.timeline) == {"EUR": 100}
        assert len(found.timeline.held()) == 3


def _accept(timeline: Timeline, one: Touchpoint, effects: Effects) -> None:
    record = resolved("x") | {"identifier": one["identifiers"][0], "touchpoint": one}
    timeline.accept(record, RESOLVED_TOUCHPOINT.encode(record), effects)  # type: ignore[arg-type]


def test_the_checksum_of_a_record_is_the_one_of_its_touchpoint() -> None:
    value = resolved_bytes("e9", profile="somebody", version=12)
    assert checksum_of_resolved(value) == rank_of(resolved("e9")["touchpoint"])[2]
    assert checksum_of_resolved(b"short") == 0


def test_a_key_is_ambiguous_for_no_source_and_a_long_source_stays_short() -> None:
    keys = {
        event_key(touchpoint("7", source=source))
        for source in ("crm", "x" * 128, "x" * 127, "\U0001f642" * 32)
    }
    assert len(keys) == 4
    assert max(map(len, keys)) <= len("7") + 1 + 16


def test_a_nul_in_a_name_is_refused_since_keys_are_separated_by_it() -> None:
    with pytest.raises(ContractError, match="NUL"):
        check(touchpoint("7\0crm"))


def test_a_fast_clock_dates_nothing_after_its_reception() -> None:
    policy = load("", b"a secret of more than thirty-two characters", "k1")
    _, prepared = prepare(touchpoint(minute=60, received_at=START), policy, CATALOGUE)
    assert prepared["occurred_at"] == START
    late = touchpoint(minute=0, received_at=START + 5)
    assert prepare(late, policy, CATALOGUE)[1] is late


@pytest.mark.parametrize(
    ("delay", "until"), [(0, 0), (5, 5), (REQUEST_DELAY_MS, REQUEST_DELAY_MS), (REQUEST_DELAY_MS + 1, 0)]
)
def test_a_request_erases_what_was_received_before_it_unless_it_is_history(delay: int, until: int) -> None:
    request = touchpoint("r", type="erasure_requested", received_at=START + delay)
    assert [correction["occurred_at"] - START for correction in erasures_of(request)] == [until]
