"""Beyond the horizon: what is summed up, what that changes, what arrives late, how summaries move."""

from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.encoding.record_types import FOLD_SUMMARY, FROZEN_SUMMARY, TRANSFER
from schemas.errors import ContractError
from schemas.records import JourneyState, Touchpoint
from schemas.touchpoint.events import event_key
from streams.identity.resolution.ownership import node_of
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.fold import Fold
from streams.journeys.state.instants import advance_all
from streams.journeys.timeline.block_ends import BLOCK, block_ends
from streams.journeys.timeline.bloom_filter import FILTER_BYTES
from streams.journeys.timeline.effects import Effects
from streams.journeys.timeline.horizon_summary import fold_timeline, read
from streams.journeys.timeline.timeline import Timeline
from tests.support.journeys import CATALOGUE, DAY, RULES, START, fold, in_order, touchpoint
from tests.support.journeys_of import assigned, fed, give, journeys, law, long_journey

#: Fields in which the order of touchpoints across identifiers cannot show.
COMMUTATIVE = [
    "as_of", "identifiers", "account_id", "touchpoints", "first_seen", "last_seen", "stage", "stages", "components",
    "last_channel", "ouch_moments", "wow_moments", "nps", "csat", "ces", "consent", "orders", "orders_returned",
    "orders_cancelled", "revenue", "first_campaign", "last_campaign", "marketing_touches", "marketing_first",
    "marketing_last", "experiments", "recent",
]  # fmt: skip
#: Those of them that show, of touchpoints of one time, only one or the order.
FIRST_OR_LAST = [
    "account_id", "stage", "last_channel", "first_campaign", "last_campaign", "marketing_first", "marketing_last",
    "experiments", "recent",
]  # fmt: skip
SMALL = JourneyRules.parse("[horizon]\ntouchpoints = 60\nmost_touchpoints = 300", "small.toml")


def state_of(timeline: Timeline, rules: JourneyRules = RULES) -> JourneyState:
    return timeline.state(CATALOGUE, rules)


def replayed(journey: list[Touchpoint], rules: JourneyRules = RULES) -> JourneyState:
    owned = [(node_of(item["identifiers"][0]), item) for item in in_order(journey)]
    return fold_timeline(owned, CATALOGUE, rules).state("default", "p1", 0)


def everything(folded: Fold, now: int) -> Any:
    return folded.state("default", "p1", 0), folded.signals(now), folded.next_deadline(now)


@law
@given(journeys, st.integers(0, 30))
def test_a_fold_that_was_written_down_goes_on_as_if_nothing_had_happened(
    journey: list[Touchpoint], cut: int
) -> None:
    ordered = in_order(journey)
    while 0 < cut < len(ordered) and ordered[cut - 1]["occurred_at"] == ordered[cut]["occurred_at"]:
        cut -= 1  # touchpoints of one time are folded together
    head = fold(*ordered[:cut])
    stored = FOLD_SUMMARY.decode(FOLD_SUMMARY.encode(head.dump()))
    resumed = Fold.load(stored, "default", CATALOGUE, RULES)
    advance_all(resumed, ((item, item["identifiers"][0]) for item in ordered[cut:]))
    now = START + 99 * DAY
    assert everything(resumed, now) == everything(fold(*ordered), now)


@law
@given(journeys)
def test_summing_up_identifier_by_identifier_changes_no_commutative_field(journey: list[Touchpoint]) -> None:
    ordered = in_order(journey)
    parts = [fold(*part) for name in ("a", "b") if (part := [i for i in ordered if owner(i) == name])]
    for part in parts[1:]:
        parts[0].absorb(part)
    summed = parts[0].state("default", "p1", 0)
    whole = fold(*ordered).state("default", "p1", 0)
    tied = len({item["occurred_at"] for item in ordered}) < len(ordered)
    alike = set(COMMUTATIVE) - (set(FIRST_OR_LAST) if tied else set())
    assert {name: summed[name] for name in alike} == {name: whole[name] for name in alike}  # type: ignore[literal-required]


def owner(item: Touchpoint) -> str:
    return item["identifiers"][0]["value"]


@pytest.mark.parametrize("seed", range(4))
def test_one_identifiers_journey_is_the_same_in_every_field_whether_summed_up_or_not(seed: int) -> None:
    journey = long_journey(seed, 900)
    timeline = fed(journey, RULES)
    assert timeline.summaries
    assert len(timeline.entries) < 256 + BLOCK
    now = journey[-1]["occurred_at"] + DAY
    assert everything(timeline.fold(CATALOGUE, RULES), now) == everything(fold(*journey), now)
    assert state_of(timeline)["late"] == 0


@pytest.mark.parametrize("seed", range(6))
def test_arriving_within_the_horizon_in_any_order_ends_as_replay_ends(seed: int) -> None:
    random = Random(seed)
    journey = long_journey(seed, 700, owners="abc")
    shuffled = []
    for start in range(0, len(journey), 50):  # everything comes up to fifty touchpoints late, some twice
        part = journey[start : start + 50]
        part += random.choices(journey[: start + 50], k=20)
        random.shuffle(part)
        shuffled += part
    timeline = fed(shuffled, SMALL, every=random.randint(1, 90))
    expected = replayed(journey, SMALL)
    assert len(timeline.summaries) == 3
    assert state_of(timeline, SMALL) == expected
    assert state_of(timeline, SMALL)["late"] == 0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("owners", ["a", "ab"])
def test_copies_within_the_horizon_end_as_replay_ends(seed: int, owners: str) -> None:
    random = Random(seed)
    journey = []
    for item in long_journey(seed, 700, owners=owners):
        journey.append(item)
        if random.random() < 0.2:  # restamped, changed, and maybe of another owner
            at = item["occurred_at"] + random.choice([-1000, 0, 1000])
            copy = item | {"occurred_at": at, "received_at": item["received_at"] + random.choice([-5, 5])}
            copy["identifiers"] = [{"type": "cookie", "value": random.choice(owners)}]
            journey.append(copy)  # type: ignore[arg-type]
    timeline = fed(journey, SMALL, every=random.randint(1, 90))
    assert timeline.summaries
    owned = [(node_of(item["identifiers"][0]), item) for item in journey]
    owned.sort(key=lambda one: (one[1]["occurred_at"], event_key(one[1])))
    assert state_of(timeline, SMALL) == fold_timeline(owned, CATALOGUE, SMALL).state("default", "p1", 0)


def heavier(journey: list[Touchpoint], random: Random) -> list[Touchpoint]:
    """The same touchpoints, with 0 to 120 KiB of attributes each."""
    for item in journey:
        item["attributes"] = {f"a{number}": "x" * 8000 for number in range(random.choice((0, 0, 1, 7, 15)))}
    return journey


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("owners", ["a", "abc"])
def test_much_text_is_summed_up_earlier_and_ends_as_replay_ends_within_that_horizon(
    seed: int, owners: str
) -> None:
    random = Random(seed)
    journey = heavier(long_journey(seed, 160, owners=owners), random)
    shuffled = []
    for start in range(0, len(journey), 6):  # everything comes up to six touchpoints late, some twice
        part = journey[start : start + 6]
        part += random.choices(journey[: start + 6], k=2)
        random.shuffle(part)
        shuffled += part
    timeline = fed(shuffled, RULES, every=random.randint(1, 20))
    assert len(timeline.summaries) == len(owners)
    assert sum(entry.text() for entry in timeline.held()) < len(owners) * 1.5 * 1024 * 1024
    assert state_of(timeline) == replayed(journey)
    assert state_of(timeline)["late"] == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_timeline_knows_how_many_bytes_it_holds_whatever_came_and_went(seed: int) -> None:
    random = Random(seed)
    journey = []
    for item in heavier(long_journey(seed, 120, owners="ab"), random):
        journey.append(item)
        for _ in range(
            random.choice((0, 0, 1, 2))
        ):  # a copy: at another time, of another owner, received earlier
            copy = item | {
                "occurred_at": item["occurred_at"] + random.choice([-1000, 0, 1000]),
                "received_at": item["received_at"] + random.choice([-5, 0, 5]),
                "identifiers": [{"type": "cookie", "value": random.choice("ab")}],
            }
            journey.append(copy)  # type: ignore[arg-type]
    timeline = Timeline("default", "p1")
    for at in range(0, len(journey), 9):
        for item in journey[at : at + 9]:
            give(timeline, item)
        if random.random() < 0.5:
            timeline.summarise(CATALOGUE, RULES, Effects())
        assert timeline.size == sum(len(entry.value) for entry in timeline.held())
    assert timeline.summaries
    again = Timeline("default", "p1")
    again.put(timeline.held())
    assert again.size == timeline.size
    timeline.move(assigned("a", "elsewhere", 1), Effects())
    assert timeline.size == sum(len(entry.value) for entry in timeline.held())


def test_a_summary_changes_no_commutative_field_of_a_profile_of_several_identifiers() -> None:
    journey = long_journey(7, 800, owners="ab")
    summed_up, whole = replayed(journey, SMALL), fold(*journey).state("default", "p1", 0)
    assert summed_up["sessions"] != whole["sessions"]  # or there would be nothing to say
    assert {name: summed_up[name] for name in COMMUTATIVE} == {name: whole[name] for name in COMMUTATIVE}  # type: ignore[literal-required]


@pytest.mark.parametrize("seed", range(4))
def test_merge_then_split_gives_back_both(seed: int) -> None:
    random = Random(seed)
    journey = long_journey(seed, 800, owners="ab")
    alone = {name: fed([i for i in journey if owner(i) == name], SMALL, name) for name in "ab"}
    before = {name: state_of(timeline, SMALL) for name, timeline in alone.items()}
    a, b = alone["a"], alone["b"]

    hand_over(b, a, assigned("b", "a", 1), random)
    assert b.empty
    merged = replayed(journey, SMALL)
    assert state_of(a, SMALL) | {"profile_id": "p1", "state_hash": ""} == merged | {"state_hash": ""}

    hand_over(a, b, assigned("b", "b", 2), random)
    assert {name: state_of(timeline, SMALL) for name, timeline in alone.items()} == before


def hand_over(giver: Timeline, taker: Timeline, assignment: Any, random: Random) -> None:
    """A Move, and its Transfers in any order, some twice, each as its own fetch."""
    effects = Effects()
    giver.move(assignment, effects)
    transfers = effects.transfers + random.choices(effects.transfers, k=2)
    random.shuffle(transfers)
    for transfer in transfers:
        read_back = TRANSFER.decode(TRANSFER.encode(transfer))
        taker.receive(read_back, Effects())  # type: ignore[arg-type]
        taker.summarise(CATALOGUE, SMALL, Effects())
    giver.move(assignment, Effects())


def test_what_arrives_beyond_the_boundary_is_late_counted_once_and_changes_nothing_else() -> None:
    journey = long_journey(1, 700)
    timeline = fed(journey, RULES)
    before = state_of(timeline)
    forgotten = touchpoint("purchase", 3, event_id="forgotten", identifiers=journey[0]["identifiers"])
    for _ in range(3):
        give(timeline, forgotten)
    after = state_of(timeline)
    assert after["late"] == 1
    assert after | {"late": 0, "state_hash": ""} == before | {"late": 0, "state_hash": ""}


def test_a_touchpoint_of_a_summary_that_comes_again_is_neither_counted_nor_late() -> None:
    journey = long_journey(2, 700)
    timeline = fed(journey, RULES)
    before = state_of(timeline)
    for item in journey:
        give(timeline, item)
    timeline.summarise(CATALOGUE, RULES, Effects())
    assert state_of(timeline) == before


def test_days_alone_and_numbers_alone_sum_up_nothing() -> None:
    def places(count: int, days: float) -> list[tuple[int, str]]:
        return [(round(number * days * DAY / count), f"e{number:05}") for number in range(count)]

    assert block_ends(places(255, 3000), RULES) == []  # years, but few
    assert block_ends(places(1024 + BLOCK - 1, 29), RULES) == []  # many, but within days
    assert block_ends(places(256 + BLOCK, 3000), RULES) == [BLOCK]
    assert block_ends(places(1024 + BLOCK, 29), RULES) == [BLOCK]


def test_ten_thousand_touchpoints_of_a_bot_are_kept_in_bounds() -> None:
    timeline, sizes, advanced = Timeline("default", "bot"), [], 0
    for number in range(10_000):
        give(timeline, touchpoint("home", number / 60, event_id=f"e{number:05}", channel="web"))
        effects = Effects()
        timeline.summarise(CATALOGUE, RULES, effects)
        folded_before = timeline.cached.count
        timeline.fold(CATALOGUE, RULES)
        advanced += timeline.cached.count - folded_before
        advanced += len(effects.entries)
        sizes.append(len(timeline.entries))
    assert max(sizes) < 1024 + BLOCK
    assert advanced < 2 * 10_000  # every touchpoint is folded once, and once more when it is summed up
    (summary,) = timeline.summaries.values()
    assert len(FROZEN_SUMMARY.encode(summary.record())) < FILTER_BYTES + 4096
    assert state_of(timeline)["touchpoints"] == 10_000


def test_a_restart_in_the_middle_of_summing_up_loses_and_doubles_nothing() -> None:
    journey = long_journey(3, 600)
    timeline, log = Timeline("default", "p1"), []
    for item in journey:
        effects = give(timeline, item)
        timeline.summarise(CATALOGUE, RULES, effects)
        # the order of JourneyPartition.changelog: summaries first
        log += [
            ("f", node, summary and FROZEN_SUMMARY.encode(summary.record()))
            for node, summary in effects.summaries.items()
        ]
        log += [("e", event_id, value) for event_id, value in effects.entries.items()]
    assert timeline.summaries
    for cut in (len(log), next(n for n, change in enumerate(log) if change[0] == "f") + 9):
        recovered = Timeline("default", "p1")
        for kind, name, value in log[:cut]:
            if kind == "f":
                recovered.restore_summary(name, value)
            else:
                recovered.restore_entry(name, value)
        for item in journey:  # Kafka delivers again what was not acknowledged
            give(recovered, item)
            recovered.summarise(CATALOGUE, RULES, Effects())
        assert state_of(recovered) == state_of(timeline)


def test_an_erased_identifiers_summary_is_gone() -> None:
    timeline = fed(long_journey(4, 600), RULES)
    erasure = assigned("a", "p1", 5) | {"correction": {"version": 5, "erased_at": 2**60, "cuts": [2**60]}}
    effects = Effects()
    timeline.move(erasure, effects)  # type: ignore[arg-type]
    assert timeline.empty
    assert effects.emptied
    assert effects.summaries == {("cookie", "a"): None}
    assert not effects.transfers


MUCH = {"at": 0, "event_id": "e", "value": "much EUR"}
ORDER = {"count": "orders", "order_id": "o", "first": MUCH, "paid": None}


def test_a_summary_that_no_fold_wrote_is_refused() -> None:
    (summary,) = fed(long_journey(5, 600), RULES).summaries.values()
    record = summary.record()
    assert read(record) == summary
    fold_summary = FOLD_SUMMARY.decode(summary.folds[0])
    wrong = [
        record | {"seen": b""},
        record | {"seen": b"x" * 3},
        record | {"folds": []},
        record | {"folds": [b"nonsense"]},
        record | {"folds": [FOLD_SUMMARY.encode(fold_summary | {"latest_session": 99})]},
        record | {"folds": [FOLD_SUMMARY.encode(fold_summary | {"revenue": {"EUR": "much"}})]},
        record
        | {"folds": [FOLD_SUMMARY.encode(fold_summary | {"known_orders": [ORDER | {"count": "carts"}]})]},
        record | {"folds": [FOLD_SUMMARY.encode(fold_summary | {"known_orders": [ORDER | {"paid": MUCH}]})]},
    ]
    for item in wrong:
        with pytest.raises(ContractError):
            read(item)  # type: ignore[arg-type]


def test_the_filter_never_forgets_an_id() -> None:
    timeline = fed([touchpoint("home", n, event_id=f"e{n}") for n in range(2000)], RULES)
    (summary,) = timeline.summaries.values()
    assert all(f"e{n}\0test" in summary.seen for n in range(2000 - len(timeline.entries)))
    assert sum(f"other{n}" in summary.seen for n in range(1000)) < 10
