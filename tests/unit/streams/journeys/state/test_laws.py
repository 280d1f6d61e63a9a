"""Laws of the fold, for any journey that hypothesis thinks of."""

from hypothesis import given
from hypothesis import strategies as st

from schemas.encoding.record_types import JOURNEY_STATE
from schemas.records import Touchpoint
from schemas.touchpoint.rules import EARLIEST_MS, LATEST_MS
from streams.journeys.state.fold import Fold
from streams.journeys.state.state_hash import state_hash
from tests.support.journeys import CATALOGUE, DAY, RULES, fold, in_order, state, touchpoint
from tests.support.journeys_of import journeys, law


@law
@given(journeys)
def test_appending_equals_folding_anew_at_every_prefix(journey: list[Touchpoint]) -> None:
    ordered = in_order(journey)
    growing = Fold(CATALOGUE, RULES)
    for length, item in enumerate(ordered, start=1):
        growing.advance(item, item["identifiers"][0])
        anew = Fold(CATALOGUE, RULES)
        for earlier in ordered[:length]:
            anew.advance(earlier, earlier["identifiers"][0])
        assert growing.state("default", "p1", 7) == anew.state("default", "p1", 7)
        now = item["occurred_at"] + 5 * DAY
        assert growing.signals(now) == anew.signals(now)
        assert growing.next_deadline() == anew.next_deadline()


@law
@given(journeys.flatmap(lambda journey: st.tuples(st.just(journey), st.permutations(journey + journey[:3]))))
def test_any_permutation_and_duplication_gives_the_same_hash(
    both: tuple[list[Touchpoint], list[Touchpoint]],
) -> None:
    journey, shuffled = both
    assert state(*journey)["state_hash"] == state(*shuffled)["state_hash"]


@law
@given(journeys)
def test_every_state_survives_the_codec_with_its_hash(journey: list[Touchpoint]) -> None:
    found = state(*journey)
    read = JOURNEY_STATE.decode(JOURNEY_STATE.encode(found))
    assert read == found
    assert state_hash(read) == found["state_hash"]  # type: ignore[arg-type]


@law
@given(journeys, st.integers(0, 50 * DAY))
def test_signals_have_distinct_ids_known_causes_and_lie_in_the_past(
    journey: list[Touchpoint], later: int
) -> None:
    folded = Fold(CATALOGUE, RULES)
    for item in in_order(journey):
        folded.advance(item, item["identifiers"][0])
    now = max(item["occurred_at"] for item in journey) + later
    found = folded.signals(now)
    assert len({signal.subject_id for signal in found}) == len(found)
    assert {cause for signal in found for cause in signal.event_ids} <= {item["event_id"] for item in journey}
    assert all(signal.occurred_at <= now for signal in found)
    deadline = folded.next_deadline(now)
    assert deadline is None or deadline >= now


@law
@given(journeys)
def test_nothing_changes_at_the_clock_before_the_next_deadline_and_something_may_after(
    journey: list[Touchpoint],
) -> None:
    folded = Fold(CATALOGUE, RULES)
    for item in in_order(journey):
        folded.advance(item, item["identifiers"][0])
    deadline = folded.next_deadline()
    if deadline is None:
        assert folded.signals(0) == folded.signals(2**62)
    else:
        assert folded.signals(0) == folded.signals(deadline)
        assert len(folded.signals(deadline + 1)) > len(folded.signals(deadline))


whole_range = st.sampled_from([EARLIEST_MS, EARLIEST_MS + 1, -1, 1, LATEST_MS]) | st.integers(
    EARLIEST_MS, LATEST_MS
)


@law
@given(journeys.flatmap(lambda journey: st.tuples(st.just(journey), st.lists(whole_range, min_size=16))))
def test_a_journey_at_any_times_that_the_contract_admits_has_a_state_and_signals(
    drawn: tuple[list[Touchpoint], list[int]],
) -> None:
    dated = [
        Touchpoint(**item | {"occurred_at": at, "received_at": at})  # type: ignore[typeddict-item]
        for item, at in zip(*drawn, strict=False)
    ]
    found = state(*dated)

    assert JOURNEY_STATE.decode(JOURNEY_STATE.encode(found)) == found
    assert fold(*dated).signals(LATEST_MS) is not None


def test_a_feeling_of_a_hundred_years_ago_is_the_mean_of_one() -> None:
    old = touchpoint("complaint", sentiment=-0.5) | {"occurred_at": EARLIEST_MS}

    assert state(old)["sentiment"] == -0.5
