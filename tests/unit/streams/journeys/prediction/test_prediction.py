"""Predictions: sums that may be added up in any order, outcomes counted when they are known, states left alone."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.encoding.record_types import JOURNEY_STATE, PREDICTION_MODEL, RESOLVED_TOUCHPOINT
from schemas.encoding.splicing import encode_predictions, put_predictions
from schemas.errors import SettingsError
from schemas.records import Touchpoint
from schemas.touchpoint.events import event_key
from streams.journeys.changelog_keys import Kind
from streams.journeys.partition import JourneyPartition
from streams.journeys.prediction.predictions import LEAST_RENEWAL, Model, Predictions
from streams.journeys.prediction.recent_path import MAX_WAITING, RecentPath
from streams.journeys.prediction.risk import Risk, Standing
from streams.journeys.prediction.transitions import Transitions
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.state_hash import UNPREDICTED, state_hash
from streams.journeys.timeline.effects import Effects
from tests.support.journeys import CATALOGUE, DAY, RULES, fold, touchpoint

law = settings(deadline=None, max_examples=50)

HALF_LIFE = 30 * DAY
START = 1_767_225_600_000
ON = replace(RULES, predict_next=True, predict_risk=True)
OFF = replace(RULES, predict_next=False, predict_risk=False)
KEY = b"default/p1"
CLOCK = START / 1000 + 400 * 86_400

names = st.sampled_from(["", "home", "purchase", "support_chat"])
times = st.integers(START, START + 60 * DAY)
steps = st.lists(st.tuples(st.tuples(names, names), names, times), max_size=30)
standings = st.builds(Standing, names, names, st.integers(0, 2), st.booleans())
outcomes = st.lists(st.tuples(standings, times, st.booleans()), max_size=30)
ORIGINS = [(stage, name) for stage in ("", "home") for name in ("", "home", "purchase", "unheard of")]
STANDINGS = [
    Standing("", "home", 0, False),
    Standing("home", "purchase", 2, True),
    Standing("x", "x", 1, False),
]


def transitions(
    observed: Iterable[tuple[tuple[str, str], str, int]], half_life: int = HALF_LIFE
) -> Transitions:
    counts = Transitions(half_life)
    for origin, following, at in observed:
        counts.add(origin, following, at)
    return counts


def risk(observed: Iterable[tuple[Standing, int, bool]]) -> Risk:
    counts = Risk(HALF_LIFE)
    for standing, at, happened in observed:
        counts.observe(standing, at)
        if happened:
            counts.hit(standing, at)
    return counts


def merged(*parts: Transitions) -> Transitions:
    total = Transitions(HALF_LIFE)
    for part in parts:
        total.absorb(part)
    return total


def all_of(*parts: Risk) -> Risk:
    total = Risk(HALF_LIFE)
    for part in parts:
        total.absorb(part)
    return total


def likely(counts: Transitions) -> list[Any]:
    return [pytest.approx(counts.distribution(origin)) for origin in ORIGINS]


def risks(counts: Risk) -> list[Any]:
    return [None if p is None else pytest.approx(p) for p in map(counts.probability, STANDINGS)]


def read(counts: Transitions) -> list[dict[str, float]]:
    return [counts.distribution(origin) for origin in ORIGINS]


# -- laws ------------------------------------------------------------------------------------------------------------


@law
@given(steps.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_the_order_in_which_transitions_are_counted_changes_nothing(
    both: tuple[list[Any], list[Any]],
) -> None:
    assert read(transitions(both[0])) == likely(transitions(both[1]))


@law
@given(steps, steps, steps)
def test_transitions_of_partitions_merge_in_any_grouping(
    one: list[Any], two: list[Any], three: list[Any]
) -> None:
    a, b, c = transitions(one), transitions(two), transitions(three)
    whole = read(transitions(one + two + three))
    assert whole == likely(merged(a, b, c))
    assert whole == likely(merged(c, merged(b, a)))


@law
@given(steps, st.sampled_from(ORIGINS))
def test_the_probabilities_of_what_comes_next_sum_to_one(found: list[Any], origin: tuple[str, str]) -> None:
    shares = transitions(found).distribution(origin)
    assert all(0 <= share <= 1 for share in shares.values())
    assert sum(shares.values()) == pytest.approx(1 if found else 0)


@law
@given(steps, st.integers(0, 1000))
def test_a_shift_of_all_event_times_changes_no_prediction(found: list[Any], days: int) -> None:
    later = [(origin, following, at + days * DAY) for origin, following, at in found]
    assert read(transitions(found)) == likely(transitions(later))


@law
@given(outcomes.flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))))
def test_the_order_in_which_outcomes_are_counted_changes_nothing(both: tuple[list[Any], list[Any]]) -> None:
    one, other = risk(both[0]), risk(both[1])
    assert [one.probability(standing) for standing in STANDINGS] == risks(other)


@law
@given(outcomes, outcomes, outcomes)
def test_outcomes_of_partitions_merge_in_any_grouping(
    one: list[Any], two: list[Any], three: list[Any]
) -> None:
    a, b, c = risk(one), risk(two), risk(three)
    whole = risk(one + two + three)
    assert [whole.probability(standing) for standing in STANDINGS] == risks(all_of(a, b, c))
    assert [whole.probability(standing) for standing in STANDINGS] == risks(all_of(c, all_of(b, a)))


@law
@given(outcomes, steps)
def test_a_risk_is_a_probability_and_a_model_survives_its_changelog(
    outcomes_: list[Any], steps_: list[Any]
) -> None:
    model = Model(HALF_LIFE)
    model.transitions, model.risk = transitions(steps_), risk(outcomes_)
    found = [model.risk.probability(standing) for standing in STANDINGS]
    assert all(chance is None or 0 <= chance <= 1 for chance in found)
    again = Model(HALF_LIFE)
    again.load(PREDICTION_MODEL.decode(PREDICTION_MODEL.encode(model.dump())))

    def close(expected: Any) -> Any:
        return pytest.approx(expected, rel=1e-5, abs=1e-7)  # counts are single precision there

    for origin in ORIGINS:
        assert again.transitions.distribution(origin) == close(model.transitions.distribution(origin))
    restored = [again.risk.probability(standing) for standing in STANDINGS]
    assert restored == [None if chance is None else close(chance) for chance in found]


# -- what is counted -------------------------------------------------------------------------------------------------


def test_each_touchpoint_counts_for_what_the_customer_does_next_and_not_for_what_we_do() -> None:
    counts, path = Transitions(HALF_LIFE), RecentPath()
    for minute, name in enumerate(
        ["purchase", "order_confirmed", "shipment_late", "support_call", "unheard_of"]
    ):
        path.advance(touchpoint(name, minute), CATALOGUE, counts)
    after_late = counts.distribution(("purchase", "shipment_late"))
    assert max(after_late, key=lambda name: after_late[name]) == "support_call"
    assert set(after_late) == {"support_call", ""}, "an unknown type counts, under no name; ours do not"


def test_newer_transitions_outweigh_older_ones() -> None:
    old = [(("", "home"), "search", START)] * 40
    new = [(("", "home"), "catalog", START + 10 * HALF_LIFE)] * 2
    shares = transitions(old + new).distribution(("", "home"))
    assert shares["catalog"] > 0.9


def test_a_place_nobody_has_been_at_falls_back_to_its_type_and_then_to_all() -> None:
    counts = transitions([(("", "home"), "search", START)] * 50 + [(("", "cart"), "purchase", START)] * 50)
    assert counts.distribution(("loyalty", "home"))["search"] > 0.9
    assert counts.distribution(("loyalty", "help_page")) == {"search": 0.5, "purchase": 0.5}


def test_an_outcome_counts_only_when_its_seven_days_are_over() -> None:
    counts = risk([(STANDINGS[0], START, False)])
    assert counts.probability(STANDINGS[0]) is None
    counts.observe(STANDINGS[0], START + 7 * DAY)
    assert counts.probability(STANDINGS[0]) is None, "the day is not over"
    counts.observe(STANDINGS[0], START + 8 * DAY)
    assert counts.probability(STANDINGS[0]) == 0.0


@pytest.mark.parametrize(("days", "rate"), [(1, 0.5), (6.9, 0.47), (7.1, 0.0)])
def test_a_contact_counts_for_what_came_within_seven_days_before_it(days: float, rate: float) -> None:
    counts, path = Risk(HALF_LIFE), RecentPath()
    for minute, name in [(0, "purchase"), (days * 1440, "support_call"), (1440 * 60, "home")]:
        path.advance(touchpoint(name, minute), CATALOGUE, None, counts)
    assert counts.base_rate == pytest.approx(rate, abs=0.02), "what is older counts a little less"


def test_an_answered_survey_and_our_own_reply_are_no_contacts() -> None:
    counts, path = Risk(HALF_LIFE), RecentPath()
    for minute, name in [(0, "purchase"), (1, "nps_answered"), (2, "support_reply"), (1440 * 60, "home")]:
        path.advance(touchpoint(name, minute), CATALOGUE, None, counts)
    assert counts.base_rate == 0.0


def test_a_bot_has_no_more_votes_than_others() -> None:
    counts, path = Risk(HALF_LIFE), RecentPath()
    for second in range(500):
        path.advance(touchpoint("home", second / 60), CATALOGUE, None, counts)
    assert sum(cell["observed"] for cell in counts.dump(lambda _: 0)) == MAX_WAITING


def test_an_open_issue_and_friction_show_in_where_somebody_stands() -> None:
    path = RecentPath()
    path.advance(touchpoint("complaint", 0, issue_id="i1"), CATALOGUE)
    assert path.standing() == Standing("service", "complaint", 2, open_issue=True)
    path.advance(touchpoint("issue_solved", 1440 * 5, issue_id="i1"), CATALOGUE)
    path.advance(touchpoint("support_reply", 1440 * 5 + 1, issue_id="i1"), CATALOGUE)
    assert path.standing() == Standing("service", "support_reply", 0, open_issue=False)


def test_models_stay_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.journeys.prediction.transitions.MAX_CELLS", 10)
    monkeypatch.setattr("streams.journeys.prediction.risk.MAX_CELLS", 10)
    counts = transitions([((f"s{n % 20}", "home"), "cart", START + n * DAY) for n in range(40)])
    counts.prune()
    assert len(counts.dump(lambda _: 0)) == 9
    assert counts.distribution(("", ""))["cart"] == 1.0
    groups = risk([(Standing(f"s{n}", "home", 0, False), START + n * DAY, False) for n in range(40)])
    groups.prune()
    assert len(groups.dump(lambda _: 0)) == 9


# -- beside the states -----------------------------------------------------------------------------------------------


def partition(rules: JourneyRules) -> JourneyPartition:
    return JourneyPartition(3, predictions=Predictions(CATALOGUE, rules, 3))


def take(held: JourneyPartition, journey: Sequence[Touchpoint], key: bytes = KEY) -> None:
    """What the agent does with each touchpoint, as far as predictions go."""
    found = held.journey(key, *key.decode().split("/"))
    timeline = found.timeline
    for item in journey:
        resolved = {
            "identifier": item["identifiers"][0],
            "profile_id": "p1",
            "version": -1,
            "touchpoint": item,
        }
        new = event_key(item) not in timeline.entries
        timeline.accept(resolved, RESOLVED_TOUCHPOINT.encode(resolved), Effects())  # type: ignore[arg-type]
        if held.predictions is not None and new:
            held.predictions.arrived(found, item, event_key(item), CLOCK)


def published(held: JourneyPartition, key: bytes = KEY) -> dict[str, object]:
    journey = held.journeys[key]
    _, sealed = journey.timeline.sealed(CATALOGUE, RULES)
    if held.predictions is not None:
        sealed = held.predictions.attach(sealed, journey)
    return JOURNEY_STATE.decode(sealed)


def busy(count: int = LEAST_RENEWAL, *, tenant: str = "default", start: float = 0) -> list[Touchpoint]:
    """A journey that goes home, searches, calls, and again."""
    cycle = ["home", "search", "support_call"]
    return [
        touchpoint(cycle[n % 3], start + n * 600, event_id=f"{tenant}{start}-{n}", tenant=tenant)
        for n in range(count)
    ]


def test_enabled_predictions_are_in_the_state_and_change_neither_its_hash_nor_another_field() -> None:
    on = partition(ON)
    take(on, busy())
    changelog = dict(on.predictions.changelog())  # type: ignore[union-attr]
    assert list(changelog) == [b"default//m/"]
    state, plain = published(on), dict(published_without(on))
    assert state["likely_next"][0]["type"] == "support_call"  # type: ignore[index]
    assert 0 < state["issue_risk"] <= 1  # type: ignore[operator]
    assert state["model_version"] == f"1.3.{LEAST_RENEWAL}"
    assert state["state_hash"] == plain["state_hash"] == state_hash(state)
    assert {name: value for name, value in state.items() if name not in UNPREDICTED} == {
        name: value for name, value in plain.items() if name not in UNPREDICTED
    }


def published_without(held: JourneyPartition) -> dict[str, object]:
    _, sealed = held.journeys[KEY].timeline.sealed(CATALOGUE, RULES)
    return JOURNEY_STATE.decode(sealed)


def test_disabled_predictions_leave_everything_empty() -> None:
    assert JourneyPartition(0).predictions is None
    found = dict(fold(*busy(5)).state("default", "p1", 1))
    assert {name: found[name] for name in UNPREDICTED} == UNPREDICTED


@pytest.mark.parametrize("name", ["likely_next", "issue_risk"])
def test_one_prediction_may_be_on_without_the_other(name: str) -> None:
    held = partition(replace(OFF, predict_next=name == "likely_next", predict_risk=name == "issue_risk"))
    take(held, busy())
    list(held.predictions.changelog())  # type: ignore[union-attr]
    state = published(held)
    assert [field for field in ("likely_next", "issue_risk") if state[field]] == [name]


@given(
    st.lists(st.builds(lambda name, p: {"type": name, "probability": p}, names, st.floats(0, 1)), max_size=3),
    st.none() | st.floats(0, 1),
    st.text(max_size=20),
)
@law
def test_predictions_are_spliced_in_as_the_codec_would_encode_them(
    likely_next: list[Any],
    issue_risk: float | None,
    version: str,
) -> None:
    folded = fold(*busy(3))
    state, (_, sealed) = folded.state("default", "p1", 9), folded.sealed("default", "p1", 9)
    predicted = {"likely_next": likely_next, "issue_risk": issue_risk, "model_version": version}
    value = put_predictions(sealed, encode_predictions(likely_next, issue_risk, version))
    assert JOURNEY_STATE.decode(value) == {**state, **predicted}
    assert value == JOURNEY_STATE.encode({**state, **predicted})


def test_a_repeated_or_late_touchpoint_teaches_nothing() -> None:
    held = partition(ON)
    journey = busy(10)
    take(held, [*journey, *journey, touchpoint("purchase", 30, event_id="late")])
    assert held.predictions.model("default").learnt == 10  # type: ignore[union-attr]
    assert published(held)["touchpoints"] == 11


def test_a_touchpoint_from_the_far_future_teaches_nothing() -> None:
    held = partition(ON)
    take(held, [touchpoint("home", 0), touchpoint("purchase", 1440 * 800)])
    assert held.predictions.model("default").learnt == 1  # type: ignore[union-attr]
    assert held.predictions.model("default").transitions.newest == 0  # type: ignore[union-attr]


def test_one_tenant_learns_nothing_of_another() -> None:
    held = partition(ON)
    take(held, busy())
    take(held, busy(2, tenant="other"), b"other/p1")
    list(held.predictions.changelog())  # type: ignore[union-attr]
    assert published(held, b"other/p1")["likely_next"] == []


def test_after_a_restart_predictions_go_on_where_they_were_written_down() -> None:
    before = partition(ON)
    take(before, busy())
    changelog = list(before.predictions.changelog())  # type: ignore[union-attr]
    entries = [
        (KEY + Kind.ENTRY + entry.id.encode(), entry.value) for entry in before.journeys[KEY].timeline.held()
    ]
    after = partition(ON)
    for key, value in [*changelog, *entries, *changelog]:
        after.restore(key, value)
    after.restored()
    assert list(after.journeys) == [KEY], "a model is no profile"
    assert published(after) == published(before)
    more = busy(3, start=LEAST_RENEWAL * 600)
    take(after, more)
    take(before, more)
    assert published(after)["likely_next"] == published(before)["likely_next"]
    assert after.predictions.model("default").learnt == LEAST_RENEWAL + 3  # type: ignore[union-attr]


def test_switched_off_a_restart_passes_over_the_models() -> None:
    before = partition(ON)
    take(before, busy())
    after = JourneyPartition(3)
    for key, value in before.predictions.changelog():  # type: ignore[union-attr]
        after.restore(key, value)
    assert not after.journeys


def test_where_a_journey_stands_is_read_again_when_it_is_not_known_any_more() -> None:
    held = partition(ON)
    take(held, busy())
    list(held.predictions.changelog())  # type: ignore[union-attr]
    expected = published(held)
    held.journeys[KEY].path = None
    assert published(held) == expected


TYPES = st.sampled_from(
    ["home", "search", "support_reply", "issue_solved", "purchase", "unheard of", "quote_sent"]
)


@law
@given(st.lists(TYPES, min_size=1, max_size=MAX_WAITING + 10), st.integers(0, 3))
def test_without_the_risk_it_is_read_only_as_far_back_as_it_matters(kinds: list[str], late: int) -> None:
    journey = [touchpoint(kind, n * 60, event_id=f"e{n:03}") for n, kind in enumerate(kinds)]
    held = partition(replace(ON, predict_risk=False))
    take(held, busy(), b"default/p2")  # enough to predict
    list(held.predictions.changelog())  # type: ignore[union-attr]
    take(held, [*journey[late:], *journey[:late]])
    held.journeys[KEY].path = None
    published(held)
    read, whole = held.journeys[KEY].path, RecentPath(with_risk=False)
    for item in journey:
        whole.advance(item, CATALOGUE)
    assert read is not None
    assert (read.last, read.origin) == (whole.last, whole.origin)
    assert next_learnt(read) == next_learnt(whole)


def next_learnt(path: RecentPath) -> dict[str, list[Any]]:
    """What a model learns from the next inbound touchpoint after a path, by where it came from."""
    model = Transitions(ON.prediction_half_life_ms)
    path.advance(touchpoint("home", 60 * 24 * 300), CATALOGUE, model)
    return {f"{row['stage']} {row['type']}": row["next"] for row in model.dump(lambda name: name)}  # type: ignore[arg-type,return-value]


def test_a_model_is_written_down_ever_less_often() -> None:
    model = Model(HALF_LIFE)
    renewals = 0
    for _ in range(100_000):
        if model.count():
            model.renew()
            renewals += 1
    assert 50 < renewals < 150


# -- rules -----------------------------------------------------------------------------------------------------------


def test_predictions_are_switched_in_journey_toml() -> None:
    rules = JourneyRules.parse(
        "[prediction]\nlikely_next = false\nissue_risk = true\nhalf_life_days = 7", "my.toml"
    )
    assert (rules.predict_next, rules.predict_risk, rules.prediction_half_life_ms) == (False, True, 7 * DAY)
    assert (RULES.predict_next, RULES.predict_risk) == (True, False)


@pytest.mark.parametrize("line", ["likely_next = 1", "half_life_days = 1", "top = 5"])
def test_what_cannot_be_predicted_is_refused(line: str) -> None:
    with pytest.raises(SettingsError, match=r"my\.toml, line 2: prediction"):
        JourneyRules.parse(f"[prediction]\n{line}", "my.toml")
