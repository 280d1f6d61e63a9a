"""Questions about service, money, stages, signals, feedback, experiments and data health against plain Python.

One small world, with merges, late touchpoints, repeats, copies and ties, is replayed and loaded once. Every view has to
say what the journey states say, or what plain Python finds in the touchpoints that count.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from math import isclose
from typing import Any

import pytest

from deploy.kafka_admin.meanings import meanings
from deploy.sandbox import ClickHouseServer
from schemas import topics
from schemas.currencies import minor_units
from schemas.encoding.record_types import JOURNEY_SIGNAL, JOURNEY_STATE
from schemas.records import JourneySignal, JourneyState, Touchpoint
from schemas.settings import Settings
from schemas.topics import Topic
from sinks.clickhouse.write.catalogue import put_in_force
from sinks.clickhouse.write.prepare import prepare
from streams.replay import Owned, Replay
from tests.integration.store import Store, migrated
from tests.integration.test_sessions import fill
from tests.support import plain_views as plain
from tests.support.analytics_world import world
from tests.support.built_in import CATALOGUE, POLICY, RULES
from tests.support.ids import person
from tests.support.intervals import always_valid_width, newcombe, wilson
from tests.support.journeys import DAY
from tests.support.kafka_records import Consumed
from tests.support.touchpoints import START

pytestmark = pytest.mark.sandbox

SINCE, UNTIL = START + 5 * DAY, START + 30 * DAY
EVER = START - 1000 * DAY, START + 300 * DAY
WEEK = 7 * 86_400
LIKELY = {"type": "product_view", "probability": 0.5}, {"type": "support_call", "probability": 0.25}
OPEN = ("issue_id", "opened_at", "due_at", "last_contact_at", "contacts", "channels")


@dataclass
class World:
    """The world as it was replayed, and its store."""

    store: Store
    owned: list[Owned]
    copies: list[Owned]
    states: list[JourneyState]
    signals: list[JourneySignal]

    @cached_property
    def lines(self) -> dict[str, list[Touchpoint]]:
        return plain.timelines(self.owned)

    @cached_property
    def issues(self) -> list[dict[str, Any]]:
        """The issues of the period."""
        return self.ask("issues")

    @cached_property
    def all_issues(self) -> list[dict[str, Any]]:
        """The issues of all time."""
        return self.ask("issues", EVER)

    def ask(
        self, view: str, span: tuple[int, int] | None = (SINCE, UNTIL), **parameters: Any
    ) -> list[dict[str, Any]]:
        """The rows of a view; times are UTC ms."""
        given = {"tenant": "default", **parameters}
        arguments = [f"{name} = {value!r}" for name, value in given.items()]
        if span is not None:
            times = zip(("since", "until"), span, strict=True)
            arguments += [f"{name} = fromUnixTimestamp64Milli({at}, 'UTC')" for name, at in times]
        sql = f"SELECT * FROM {view}({', '.join(arguments)})"
        rows, columns = self.store.client.execute(sql, with_column_types=True)
        return [dict(zip([name for name, _ in columns], map(milliseconds, row), strict=True)) for row in rows]


def milliseconds(cell: Any) -> Any:
    return round(cell.timestamp() * 1000) if isinstance(cell, datetime) else cell


@pytest.fixture(scope="module")
def known(clickhouse: ClickHouseServer) -> Iterator[World]:
    replay = Replay(POLICY, CATALOGUE, RULES)
    for event in world():
        replay.add(event)
    owned, copies = list(replay.owned()), list(replay.copies())
    states, signals = list(replay.states()), list(replay.signals(START + 60 * DAY))
    for number, state in enumerate(states):
        state["likely_next"] = [dict(next_one) for next_one in LIKELY]
        if number % 3 == 0:
            state["likely_next"].reverse()
    store = Store(migrated(clickhouse))
    put_in_force(store.where, meanings(Settings()))
    fill(store, replay, owned + copies)
    load(
        store, topics.JOURNEY_STATES, [(state["profile_id"], JOURNEY_STATE.encode(state)) for state in states]
    )
    load(store, topics.JOURNEY_SIGNALS, [(s["profile_id"], JOURNEY_SIGNAL.encode(s)) for s in signals])
    yield World(store, owned, copies, states, signals)
    store.close()


def load(store: Store, topic: Topic, records: list[tuple[str, bytes]]) -> None:
    inserts, rejected = prepare(
        [
            (topic, Consumed(value, key=f"default/{key}".encode(), offset=n))
            for n, (key, value) in enumerate(records)
        ]
    )
    assert not rejected
    for insert in inserts:
        store.rows.write(insert)


def test_the_world_has_merges_late_touchpoints_copies_and_ties(known: World) -> None:
    assert len(known.copies) > 20
    assert sum(len(state["identifiers"]) > 1 for state in known.states) > 20
    assert (
        sum(one.touchpoint["received_at"] - one.touchpoint["occurred_at"] > 3_600_000 for one in known.owned)
        > 100
    )
    for line in known.lines.values():
        if len({event["occurred_at"] for event in line}) < len(line):
            return
    pytest.fail("no two touchpoints of a person have one time")


def test_open_issues_are_those_of_every_journey_state(known: World) -> None:
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for row in sorted(known.all_issues, key=lambda row: (row["opened_at"], row["issue_id"])):
        if row["status"] != "solved":
            found[row["profile_id"]].append(tuple(row[name] for name in OPEN))
    assert found == {
        state["profile_id"]: [tuple(issue.values()) for issue in state["open_issues"]]
        for state in known.states if state["open_issues"]
    }  # fmt: skip
    assert sum(map(len, found.values())) > 50


def test_solved_issues_first_contacts_and_handoffs_are_counted_as_in_every_journey_state(
    known: World,
) -> None:
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for row in known.all_issues:
        found[row["profile_id"]].update(
            solved=row["status"] == "solved", first=row["first_contact"], handoffs=row["handoffs"]
        )
    for state in known.states:
        counted = found[state["profile_id"]]
        assert (counted["solved"], counted["first"], counted["handoffs"]) == (
            state["issues_solved"], state["issues_first_contact"], state["handoffs"],
        )  # fmt: skip


def test_an_issue_is_overdue_once_its_deadline_lies_before_the_end_of_the_period(known: World) -> None:
    rows = known.issues
    assert {row["status"] for row in rows} == {"open", "overdue", "solved"}
    for row in rows:
        assert row["opened_at"] < UNTIL
        assert (row["status"] == "overdue") == (row["solved_at"] is None and row["due_at"] < UNTIL)
        assert row["solved_at"] is None or SINCE <= row["solved_at"] < UNTIL


@pytest.mark.parametrize(
    ("dimension", "column"),
    [
        ("", None),
        ("channel", "channel"),
        ("type", "type"),
        ("owner", "owner"),
        ("source", "source"),
        ("account", "account_id"),
    ],
)
def test_service_quality_sums_up_the_issues_by_any_dimension(
    known: World, dimension: str, column: str | None
) -> None:
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in known.issues:
        groups[row[column] if column else ""].append(row)
    rows = {row["segment"]: row for row in known.ask("service_quality", by=dimension, within_seconds=WEEK)}
    assert rows.keys() == groups.keys()
    for name, issues in groups.items():
        row, solved = rows[name], [issue for issue in issues if issue["status"] == "solved"]
        assert (row["issues"], row["solved"]) == (len(issues), len(solved))
        assert row["overdue"] == sum(issue["status"] == "overdue" for issue in issues)
        assert row["open"] == row["issues"] - row["solved"] - row["overdue"]
        assert row["first_contact_resolution_rate"] == share(
            sum(i["first_contact"] for i in solved), len(solved)
        )
        assert row["in_time_rate"] == share(sum(i["solved_at"] <= i["due_at"] for i in solved), len(solved))
        contacted = [issue for issue in issues if issue["separate_contacts"]]
        assert row["repeat_contact_rate"] == share(
            sum(i["separate_contacts"] > 1 for i in contacted), len(contacted)
        )
        ripe = [issue for issue in solved if issue["solved_at"] + WEEK * 1000 < UNTIL]
        assert row["followed"] == len(ripe)
        assert row["next_issue_avoidance_rate"] == share(
            sum(
                plain.next_service_contacts(known.lines[i["profile_id"]], i["solved_at"], WEEK * 1000) == 0
                for i in ripe
            ),
            len(ripe),
        )


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def test_the_contacts_after_a_solution_are_those_of_the_person_about_whatever(known: World) -> None:
    rows = known.ask("next_contacts", within_seconds=WEEK)
    assert {bool(row["contacts"]) for row in rows} == {False, True}
    for row in rows:
        contacts = plain.next_service_contacts(known.lines[row["profile_id"]], row["solved_at"], WEEK * 1000)
        assert (row["contacts"], row["avoided"]) == (contacts, contacts == 0)


def test_orders_returns_and_cancellations_are_counted_as_in_every_journey_state(known: World) -> None:
    found = Counter((row["profile_id"], row["kind"]) for row in known.ask("order_events", EVER))
    for state in known.states:
        profile = state["profile_id"]
        assert [found[profile, kind] for kind in ("order", "return", "cancellation")] == [
            state["orders"], state["orders_returned"], state["orders_cancelled"],
        ]  # fmt: skip


def test_money_is_that_of_every_journey_state_in_minor_units_and_in_all_in_major_units(known: World) -> None:
    minor: dict[str, Counter[str]] = defaultdict(Counter)
    for row in known.ask("order_events", EVER):
        if row["currency"]:
            minor[row["profile_id"]][row["currency"]] += row["amount_minor"]
    assert {profile: dict(sums) for profile, sums in minor.items()} == {
        state["profile_id"]: state["revenue"] for state in known.states if state["revenue"]
    }
    net: Counter[str] = Counter()
    for row in known.ask("revenue", EVER, bucket_seconds=86_400):
        if row["currency"]:
            net[row["currency"]] += row["net"]
    assert net == plain.net_revenue(known.states)
    assert {"EUR", "JPY", "KWD", "XAU"} <= net.keys()


def test_an_order_knows_what_became_of_it(known: World) -> None:
    events = known.ask("order_events", EVER)
    later: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in events:
        if row["kind"] != "order" and row["order_id"]:
            later[row["profile_id"], row["order_id"]].append(row)
    rows = known.ask("orders", EVER)
    assert len(rows) == sum(row["kind"] == "order" for row in events)
    for row in rows:
        after = later[row["profile_id"], row["order_id"]]
        assert row["returned"] == any(one["kind"] == "return" for one in after)
        assert row["cancelled"] == any(one["kind"] == "cancellation" for one in after)
        back = [
            one["amount"] for one in after if one["amount"] is not None and one["currency"] == row["currency"]
        ]
        assert row["given_back"] == -sum(back)
    assert any(row["given_back"] for row in rows)


def test_every_currency_has_the_exponent_of_iso_4217(known: World) -> None:
    found = dict(known.store.query("SELECT currency, exponent FROM currency_exponents"))
    for code in ("EUR", "JPY", "KWD", "CLF", "XAU", "XXX", "USD", "ISK"):
        assert found.get(code) == minor_units(code)
    assert all(minor_units(code) == exponent for code, exponent in found.items())


def test_stage_changes_end_where_the_journey_state_is_and_begin_where_it_began(known: World) -> None:
    found: dict[str, list[tuple[str, str, int]]] = defaultdict(list)
    for row in sorted(known.ask("stage_changes", EVER), key=lambda row: row["number"]):
        found[row["profile_id"]].append((row["from_stage"], row["to_stage"], row["occurred_at"]))
    for state in known.states:
        changes = found[state["profile_id"]]
        assert changes == plain.stage_changes(known.lines[state["profile_id"]])
        firsts: dict[str, int] = {}
        for _, stage, at in changes:
            firsts.setdefault(stage, at)
        assert firsts == state["stages"]
        if changes:
            assert changes[-1][1:] == (state["stage"], state["stage_since"])


def test_transitions_count_the_changes_of_the_period_with_the_time_spent_before(known: World) -> None:
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for line in known.lines.values():
        since = 0
        for before, after, at in plain.stage_changes(line):
            if SINCE <= at < UNTIL:
                found[before, after].append(at - since)
            since = at
    rows = known.ask("stage_transitions")
    assert {(row["from_stage"], row["to_stage"]): row["transitions"] for row in rows} == {
        pair: len(times) for pair, times in found.items()
    }
    for row in rows:
        times = sorted(found[row["from_stage"], row["to_stage"]])
        out = sum(len(found[pair]) for pair in found if pair[0] == row["from_stage"])
        assert isclose(row["share"], len(times) / out)
        assert row["median_seconds"] == (times[len(times) // 2] / 1000 if row["from_stage"] else None)


def test_a_signal_lives_until_somebody_answers(known: World) -> None:
    rows = {row["signal_id"]: row for row in known.ask("signal_lives", EVER)}
    assert len(rows) == len(known.signals)
    for signal in known.signals:
        row, line = rows[signal["signal_id"]], known.lines[signal["profile_id"]]
        assert (row["kind"], row["status"], row["occurred_at"]) == (
            signal["kind"],
            "RAISED",
            signal["occurred_at"],
        )
        assert row["answered_at"] == plain.answered_at(signal, line), signal
        assert row["contacted_at"] == plain.contacted_at(signal, line), signal


def test_rates_tell_standing_retracted_and_moved_signals_apart(known: World) -> None:
    before = {row["kind"]: row for row in known.ask("signal_rates", EVER)}
    counted = Counter(signal["kind"] for signal in known.signals)
    assert {kind: row["signals"] for kind, row in before.items()} == counted
    first, second = [signal for signal in known.signals if signal["kind"] == "abandoned_cart"][:2]
    moved = {**first, "status": "RETRACTED", "reason": "MOVED", "successor": person("p9"), "version": 9}
    wrong = {**second, "status": "RETRACTED", "reason": "CONTRADICTED", "version": 9}
    load(
        known.store,
        topics.JOURNEY_SIGNALS,
        [(s["profile_id"], JOURNEY_SIGNAL.encode(s)) for s in (moved, wrong)],
    )

    row = next(row for row in known.ask("signal_rates", EVER) if row["kind"] == "abandoned_cart")
    assert (row["signals"], row["standing"], row["retracted"]) == (
        counted["abandoned_cart"] - 1,
        counted["abandoned_cart"] - 2,
        1,
    )

    again = [{**signal, "version": 10} for signal in (first, second)]
    load(known.store, topics.JOURNEY_SIGNALS, [(s["profile_id"], JOURNEY_SIGNAL.encode(s)) for s in again])


def test_the_last_answers_are_those_of_every_journey_state(known: World) -> None:
    last: dict[str, dict[str, tuple[int, float]]] = defaultdict(dict)
    for row in known.ask("survey_answers", EVER):
        answer = row["occurred_at"], row["value"]
        last[row["profile_id"]][row["kind"]] = max(answer, last[row["profile_id"]].get(row["kind"], (0, 0.0)))
    for state in known.states:
        found = last[state["profile_id"]]
        for kind, told in (("NPS", state["nps"]), ("CSAT", state["csat"]), ("CES", state["ces"])):
            assert found.get(kind, (0, None))[1] == told


def test_an_answer_is_about_the_last_thing_that_the_customer_met(known: World) -> None:
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for row in known.ask("survey_answers", EVER):
        found[row["profile_id"]].append(
            tuple(row[name] for name in ("occurred_at", "kind", "value", "stage", "owner"))
        )
    for profile, line in known.lines.items():
        assert sorted(found[profile]) == plain.survey_answers(line)


@pytest.mark.parametrize(
    ("dimension", "column"),
    [("", None), ("stage", "stage"), ("channel", "channel"), ("owner", "owner"), ("account", "account_id")],
)
def test_scores_are_what_their_surveys_define(known: World, dimension: str, column: str | None) -> None:
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    for row in known.ask("survey_answers"):
        values[row["kind"], row[column] if column else ""].append(row["value"])
    rows = known.ask("scores", by=dimension)
    assert {(row["kind"], row["segment"]) for row in rows} == values.keys()
    for row in rows:
        answers = values[row["kind"], row["segment"]]
        least, most = {"NPS": (9, 6), "CSAT": (4, 2), "CES": (5, 3)}[row["kind"]]
        good, bad = sum(value >= least for value in answers), sum(value <= most for value in answers)
        assert (row["answers"], row["good"], row["bad"]) == (len(answers), good, bad)
        assert isclose(
            row["score"], 100 * (good - (bad if row["kind"] == "NPS" else 0)) / len(answers), abs_tol=1e-9
        )


def test_an_experiment_counts_people_by_the_variant_they_saw_and_leaves_out_who_saw_several(
    known: World,
) -> None:
    expected, mixed = plain.experiment(known.lines.values(), "checkout", SINCE, UNTIL, 14 * DAY)
    rows = known.ask(
        "experiment_results",
        experiment="checkout",
        goal="order_placed",
        control="A",
        within_seconds=14 * 86_400,
        tau=0.05,
    )
    assert {row["variant"]: (row["people"], row["converted"]) for row in rows} == expected
    assert mixed > 0
    assert {row["mixed"] for row in rows} == {mixed}
    assert {"A", "B"} <= expected.keys()
    for row in rows:
        people, converted = expected[row["variant"]]
        assert (row["rate_low"], row["rate_high"]) == pytest.approx(wilson(converted, people))
        if row["variant"] == "A":
            assert row["difference"] is None
            continue
        other_people, other = expected["A"]
        difference = converted / people - other / other_people
        width = always_valid_width(converted, people, other, other_people, tau=0.05)
        found = [row[name] for name in ("difference", "sequential_low", "sequential_high")]
        assert found == pytest.approx([difference, difference - width, difference + width])
        assert (row["difference_low"], row["difference_high"]) == pytest.approx(
            newcombe(converted, people, other, other_people)
        )
        assert row["sequential_low"] < row["difference_low"] < row["difference"] < row["difference_high"]


def test_consent_and_predictions_are_those_of_the_journey_states(known: World) -> None:
    decided: dict[str, Counter[str]] = defaultdict(Counter)
    for state in known.states:
        for purpose, decision in state["consent"].items():
            decided[purpose][decision] += 1
    rows = {row["purpose"]: row for row in known.ask("consent_coverage", EVER)}
    assert rows.keys() == decided.keys()
    for purpose, row in rows.items():
        told = [decided[purpose][decision] for decision in ("GRANTED", "DENIED", "REVOKED")]
        assert [row["granted"], row["denied"], row["revoked"]] == told
        assert row["unknown"] == len(known.states) - sum(told)
        assert isclose(row["decided_share"], sum(told) / len(known.states))

    likely = {row["type"]: row for row in known.ask("likely_next_contacts", EVER, stage="")}
    people, thirds = len(known.states), len(range(0, len(known.states), 3))
    assert likely["support_call"]["likeliest_of"] == thirds
    assert likely["product_view"]["likeliest_of"] == people - thirds
    assert (likely["support_call"]["expected"], likely["support_call"]["owner"]) == (people * 0.25, "service")
    stage = known.states[0]["stage"]
    of_stage = known.ask("likely_next_contacts", EVER, stage=stage)
    assert of_stage[0]["people"] == sum(state["stage"] == stage for state in known.states)


def test_friction_is_summed_by_the_team_that_owns_the_type(known: World) -> None:
    rows = known.ask("friction_by_owner")
    found = {
        (row["owner"], row["type"], row["channel"]): (row["touchpoints"], row["profiles"], row["friction"])
        for row in rows
    }
    assert found == plain.friction(known.owned, SINCE, UNTIL)
    assert isclose(sum(row["share"] for row in rows), 1)
    assert {"logistics", "engineering", "service"} <= {row["owner"] for row in rows}


def test_every_hour_of_a_source_tells_what_came_late_twice_and_unknown(known: World) -> None:
    rows = known.ask("health_sources", EVER, late_seconds=300)
    found = {
        (row["hour"] // 3_600_000, row["source"]): tuple(
            row[name] for name in ("touchpoints", "late", "at_reception", "unknown_types", "copies")
        )
        for row in rows
    }
    assert found == plain.received_hours(known.owned, known.copies, 300_000)
    assert sum(row["copies"] for row in rows) == len(known.copies)
    lateness: dict[tuple[int, str], list[float]] = defaultdict(list)
    for one in known.owned:
        event = one.touchpoint
        late = (event["received_at"] - event["occurred_at"]) / 1000
        lateness[event["received_at"] // 3_600_000 * 3_600_000, event["source"]].append(late)
    for row in rows:
        late_ones = sorted(lateness[row["hour"], row["source"]])
        if late_ones:
            assert (row["late_min_seconds"], row["late_max_seconds"]) == (late_ones[0], late_ones[-1])
            assert row["late_p50_seconds"] == late_ones[len(late_ones) // 2]


def test_silence_is_a_gap_between_receptions_and_the_last_one_goes_on(known: World) -> None:
    times: dict[str, set[int]] = defaultdict(set)
    for one in known.owned:
        times[one.touchpoint["source"]].add(one.touchpoint["received_at"])
    expected = set()
    for source, at in times.items():
        ends = sorted(at)
        gaps = [(a, b, 0) for a, b in pairwise(ends)] + [(ends[-1], EVER[1], 1)]
        expected |= {(source, a, None if ongoing else b, ongoing) for a, b, ongoing in gaps if b - a >= DAY}
    rows = known.ask("health_gaps", EVER, gap_seconds=86_400)
    assert {(row["source"], row["from_time"], row["until_time"], row["ongoing"]) for row in rows} == expected


def test_tables_say_how_fresh_they_are_and_how_long_rows_took(known: World) -> None:
    rows = {row["name"]: row for row in known.ask("health_tables", None)}
    assert rows["touchpoints_current"]["watermark"] == max(
        one.touchpoint["occurred_at"] for one in known.owned
    )
    assert rows["journeys"]["watermark"] == max(state["as_of"] for state in known.states)
    assert rows["accounts"]["watermark"] is None
    assert 0 <= rows["journeys"]["loaded_ago_seconds"] < 600

    now = rows["touchpoints_current"]["loaded_at"]
    (row,) = (
        row
        for row in known.ask("health_loader", (now - DAY, now + DAY))
        if row["name"] == "touchpoints_current"
    )
    unmoved = known.store.query("SELECT count() FROM raw_touchpoints WHERE owner_id = profile_id")
    assert [(row["rows"],)] == unmoved
    assert 0 < row["p50_seconds"] <= row["p99_seconds"] <= row["max_seconds"]
