"""Each question about journeys has the answer of a plain computation over the touchpoints and owners of a replay.

The people are simulated, and drawn on the edges of every definition: merges, shared devices, late and repeated events,
touchpoints of one millisecond, times before 1970.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from itertools import groupby, pairwise
from math import isclose
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli.report import command
from deploy.kafka_admin.meanings import meanings
from deploy.reports.journeys import JOURNEYS
from deploy.reports.registry import REPORTS
from deploy.sandbox import ClickHouseServer
from deploy.simulation.population import Population, simulate
from schemas import topics
from schemas.encoding.record_types import JOURNEY_STATE
from schemas.errors import SinkError
from schemas.keys import profile_key
from schemas.records import Touchpoint
from schemas.settings import Settings
from schemas.touchpoint.rules import EARLIEST_MS
from sinks.clickhouse.read.questions import ask, questions
from sinks.clickhouse.write.catalogue import put_in_force
from sinks.clickhouse.write.prepare import prepare
from streams.replay import Owned, Replay
from tests.integration.store import Store, migrated
from tests.integration.test_sessions import fill
from tests.support import question_oracle as oracle
from tests.support.attribution_oracle import Path as Touched
from tests.support.attribution_oracle import credits_of
from tests.support.built_in import CATALOGUE, POLICY, RULES
from tests.support.kafka_records import Consumed
from tests.support.question_oracle import DAY, WEEK, People, Rows
from tests.support.question_people import by_hand, on_edges
from tests.support.touchpoints import START

pytestmark = pytest.mark.sandbox

EVER = {"since": EARLIEST_MS, "until": START + 400 * DAY}
#: A period whose ends lie within sessions, attempts and paths.
PART = {"since": -DAY, "until": START + 20 * DAY}
SIMULATED, EDGES, HAND = "simulated", "edges", "hand"


def soaked(*values: Any) -> Any:
    """One case more than a default run has time for."""
    return pytest.param(*values, marks=pytest.mark.soak)


class Asked:
    """A store with the touchpoints of several tenants, and for each of them people and their states by replay."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.people: dict[str, People] = {}
        self.owned: dict[str, list[Owned]] = {}
        self.states: dict[str, list[Any]] = {}

    def load(self, tenant: str, events: Iterable[Touchpoint]) -> None:
        replay = Replay(POLICY, CATALOGUE, RULES)
        for event in events:
            replay.add({**event, "tenant": tenant})
        owned = list(replay.owned())
        fill(self.store, replay, owned)
        self.owned[tenant], self.people[tenant] = owned, oracle.people_of(owned)
        self.states[tenant] = list(replay.states())
        records = [
            (
                topics.JOURNEY_STATES,
                Consumed(JOURNEY_STATE.encode(state), key=profile_key(tenant, state["profile_id"])),
            )
            for state in self.states[tenant]
        ]
        inserts, rejected = prepare(records)
        assert not rejected
        for insert in inserts:
            self.store.rows.write(insert)

    def __call__(self, view: str, tenant: str, **values: Any) -> list[dict[str, Any]]:
        columns, rows = ask(self.store.where, questions()[view], {"tenant": tenant, **values})
        return [dict(zip(columns, row, strict=True)) for row in rows]


@pytest.fixture(scope="module")
def asked(clickhouse: ClickHouseServer) -> Iterator[Asked]:
    store = Store(migrated(clickhouse))
    put_in_force(store.where, meanings(Settings()))
    asked = Asked(store)
    asked.load(SIMULATED, simulate(Population(people=40, events=1500, seed=7)))
    asked.load(EDGES, on_edges(EDGES, seed=3))
    asked.load(HAND, by_hand(HAND))
    yield asked
    store.close()


def same(found: Rows, expected: Rows) -> None:
    """The same rows in any order; numbers may differ by the rounding of a sum."""
    assert len(found) == len(expected), (sorted(map(str, found)), sorted(map(str, expected)))
    for one, other in zip(sorted(found, key=_key), sorted(expected, key=_key), strict=True):
        assert all(map(_close, one, other)), (one, other)


def _key(row: tuple[Any, ...]) -> list[str]:
    return [cell if isinstance(cell, str) else f"{cell:020d}" for cell in row if isinstance(cell, (str, int))]


def _close(one: Any, other: Any) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        return one is not None and other is not None and isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)


def columns(rows: list[dict[str, Any]], *names: str) -> Rows:
    return [tuple(row[name] for name in names) for row in rows]


def ms(rows: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [{**row, name: round(row[name].timestamp() * 1000)} for row in rows]


def test_the_people_have_what_makes_answers_hard(asked: Asked) -> None:
    for tenant in (SIMULATED, EDGES):
        owners: dict[tuple[str, str], set[str]] = {}
        for item in asked.owned[tenant]:
            owners.setdefault((item.identifier["type"], item.identifier["value"]), set()).add(item.profile_id)
        assert any(len(state["identifiers"]) > 1 for state in asked.states[tenant]), "merges"
        assert tenant == SIMULATED or any(len(profiles) > 1 for profiles in owners.values()), (
            "a shared device"
        )
    times = [touch.ms for touches in asked.people[EDGES].values() for touch in touches]
    assert min(times) < 0 < max(times)
    assert any(one.ms == two.ms for t in asked.people[EDGES].values() for one, two in pairwise(t))


def test_people_now_counts_the_journeys_by_stage_and_newest_component_with_their_dwell(asked: Asked) -> None:
    for tenant in (SIMULATED, EDGES):
        expected: dict[tuple[str, str], list[float]] = {}
        for state in asked.states[tenant]:
            if PART["since"] <= state["last_seen"] < PART["until"]:
                component = min(state["components"], key=lambda name: (-state["components"][name], name))
                dwell = (PART["until"] - state["stage_since"]) / 1000
                expected.setdefault((state["stage"], component), []).append(dwell)
        same(
            columns(
                asked("people_now", tenant, **PART),
                "stage",
                "component",
                "people",
                "dwell_median_seconds",
                "dwell_p90_seconds",
            ),
            [
                (*key, len(all_), oracle.quantile(all_, 0.5), oracle.quantile(all_, 0.9))
                for key, all_ in expected.items()
            ],
        )


#: Per, by, steps, period.
FUNNELS = (
    ("person", "", ["product_view", "add_to_cart", "order_placed"], EVER),
    ("person", "campaign", ["add_to_cart", "product_view", "checkout_started"], PART),
    ("session", "channel", ["product_view", "add_to_cart", "order_placed"], PART),
    ("person", "experiment:checkout", ["product_view", "product_view", "add_to_cart"], EVER),
    ("person", "first_type", ["email_sent", "email_clicked"], EVER),
    ("person", "account", ["payment_error", "support_call"], EVER),
)
ORDERS = ("ordered", "strict", "adjacent", "any")


@pytest.mark.parametrize(
    ("funnel", "order", "tenants"),
    [
        (FUNNELS[0], "ordered", (SIMULATED, EDGES)),
        (FUNNELS[1], "strict", (EDGES,)),
        (FUNNELS[2], "strict", (EDGES,)),
        (FUNNELS[3], "adjacent", (EDGES,)),
        (FUNNELS[4], "any", (EDGES,)),
        *(soaked(funnel, order, (SIMULATED, EDGES)) for funnel in FUNNELS for order in ORDERS),
    ],
)
def test_a_funnel_counts_the_attempt_that_went_furthest(
    asked: Asked, funnel: tuple[str, str, list[str], dict[str, int]], order: str, tenants: tuple[str, ...]
) -> None:
    per, by, steps, period = funnel
    if order == "any":
        steps = list(dict.fromkeys(steps))
    values = {
        **period,
        "steps": steps,
        "within_seconds": 7 * 86_400,
        "order": order,
        "per": per,
        "by": by,
        "top": 1000,
    }
    for tenant in tenants:
        rows = asked("funnel", tenant, **values)
        expected = oracle.funnel(
            asked.people[tenant], period["since"], period["until"], steps, WEEK, order, per, by
        )
        names = (
            "segment",
            "step",
            "reached",
            "stopped",
            "median_seconds",
            "p90_seconds",
            "from_first_median_seconds",
        )
        same(columns(rows, *names), expected)
        firsts = {row["segment"]: row["reached"] for row in rows if row["step"] == 1}
        assert all(isclose(row["from_first_share"], row["reached"] / firsts[row["segment"]]) for row in rows)


@pytest.mark.parametrize(
    ("anchor", "direction", "hops", "per", "top"),
    [
        ("", "after", 3, "session", 2),
        soaked("add_to_cart", "after", 2, "person", 3),
        ("order_placed", "before", 3, "session", 2),
        soaked("", "before", 2, "person", 100),
    ],
)
def test_paths_count_what_followed_what_with_drop_off_and_others(
    asked: Asked, anchor: str, direction: str, hops: int, per: str, top: int
) -> None:
    for tenant in (SIMULATED, EDGES):
        rows = asked("paths", tenant, **PART, anchor=anchor, direction=direction, hops=hops, per=per, top=top)
        same(
            columns(rows, "depth", "from_type", "to_type", "reached", "reached_share"),
            oracle.paths(
                asked.people[tenant], PART["since"], PART["until"], anchor, direction, hops, per, top
            ),
        )


def test_a_person_has_the_touchpoints_that_name_them_as_owner(asked: Asked) -> None:
    for tenant in (SIMULATED, EDGES):
        owned = asked.store.query(
            f"SELECT profile_id, count(), sum(cityHash64(source, event_id)) FROM touchpoints_current"
            f" WHERE tenant = '{tenant}' GROUP BY profile_id"
        )
        assert {profile for profile, _, _ in owned} == set(asked.people[tenant])
        for profile, touchpoints, events in owned:
            assert asked.store.query(
                "SELECT count(), sum(cityHash64(source, event_id))"
                f" FROM person_touchpoints(tenant = '{tenant}', profile_id = '{profile}')"
            ) == [(touchpoints, events)]


@pytest.mark.parametrize("period", [soaked("hour"), soaked("day"), "week"])
def test_the_channel_mix_is_cut_at_whole_periods_also_before_1970(asked: Asked, period: str) -> None:
    rows = ms(asked("channel_mix", EDGES, **EVER, period=period), "period_start")
    same(
        columns(rows, "period_start", "channel", "touchpoints", "inbound", "people", "touchpoints_share"),
        oracle.channel_mix(asked.people[EDGES], EVER["since"], EVER["until"], period),
    )


def test_the_channel_matrix_counts_switches_as_the_journey_state_does(asked: Asked) -> None:
    for tenant in (SIMULATED, EDGES):
        rows = asked("channel_matrix", tenant, **PART)
        same(
            columns(rows, "from_channel", "to_channel", "switches", "people", "from_share"),
            oracle.channel_matrix(asked.people[tenant], PART["since"], PART["until"]),
        )
    whole = sum(row["switches"] for row in asked("channel_matrix", SIMULATED, **EVER))
    assert whole == sum(state["channel_switches"] for state in asked.states[SIMULATED])


def test_handoffs_go_from_a_digital_to_a_human_channel_soon_after(asked: Asked) -> None:
    for tenant in (SIMULATED, EDGES):
        rows = asked("handoffs", tenant, **PART, within_seconds=86_400, top=1000)
        same(
            columns(
                rows,
                "from_channel",
                "preceded_by",
                "to_channel",
                "answered_by",
                "times",
                "people",
                "same_issue",
                "median_seconds",
            ),
            oracle.handoffs(asked.people[tenant], PART["since"], PART["until"], DAY),
        )


@pytest.mark.parametrize("by", [soaked("channel"), soaked("type"), soaked("campaign"), "reminder"])
def test_carts_are_those_of_the_journey_state_with_what_brought_people_back(asked: Asked, by: str) -> None:
    for tenant in (SIMULATED, EDGES):
        rows = asked("carts", tenant, **PART, within_seconds=7 * 86_400, by=by)
        same(
            columns(rows, "outcome", "back_by", "carts", "median_seconds"),
            oracle.carts(asked.people[tenant], PART["since"], PART["until"], WEEK, by),
        )
    ever = asked("carts", SIMULATED, **EVER, within_seconds=0, by=by)
    states = asked.states[SIMULATED]
    assert sum(row["carts"] for row in ever) == sum(state["carts"] for state in states)
    met = sum(row["carts"] for row in ever if row["outcome"] == "ordered in time")
    assert met == sum(state["carts_met"] for state in states)


@pytest.mark.parametrize("by", [soaked(""), soaked("channel"), "campaign"])
def test_cohorts_begin_with_the_first_inbound_touchpoint(asked: Asked, by: str) -> None:
    for tenant in (SIMULATED, EDGES):
        rows = ms(asked("cohorts", tenant, **PART, by=by, weeks=6), "cohort_start")
        same(
            columns(rows, "segment", "cohort_start", "week", "people", "active_people"),
            oracle.cohorts(asked.people[tenant], PART["since"], PART["until"], by, 6),
        )


def test_friction_is_the_sum_of_the_catalogues_weights(asked: Asked) -> None:
    for tenant in (SIMULATED, EDGES):
        rows = asked("friction_spots", tenant, **PART, top=1000)
        same(
            columns(
                rows, "component", "step", "channel", "touchpoints", "people", "friction", "ouch_moments"
            ),
            oracle.friction(asked.people[tenant], PART["since"], PART["until"]),
        )
        assert isclose(sum(row["friction_share"] for row in rows), 1)


def conversions(asked: Asked, tenant: str, **values: Any) -> list[Touched]:
    rows = asked("conversion_paths", tenant, goals=[], touch_types=[], **values)
    told = [
        (
            row["profile_id"], row["converted"], row["converted_at"] and round(row["converted_at"].timestamp() * 1000),
            row["amount_minor"], row["currency"], tuple(row["touches"]), tuple(row["ages_seconds"]),
        )
        for row in rows
    ]  # fmt: skip
    expected = [
        (*row[:5], tuple(row[5]), tuple(row[6]))
        for row in oracle.conversion_paths(
            asked.people[tenant],
            values["since"],
            values["until"],
            values["within_seconds"] * 1000,
            values["by"],
            values["top"],
        )
    ]
    assert sorted(map(str, told)) == sorted(map(str, expected))
    return [
        Touched(list(touches), list(ages), bool(done), amount, currency)
        for _, done, _, amount, currency, touches, ages in told
    ]


@pytest.mark.parametrize(
    ("tenant", "by", "top", "days"),
    [
        (SIMULATED, "campaign", 3, 30),
        (EDGES, "channel", 2, 9),
        soaked(EDGES, "campaign", 9, 30),
        soaked(HAND, "channel", 9, 30),
    ],
)
def test_the_credits_of_every_model_follow_its_definition_and_add_up(
    asked: Asked, tenant: str, by: str, top: int, days: int
) -> None:
    values = {**PART, "within_seconds": days * 86_400, "by": by, "top": top}
    paths = conversions(asked, tenant, **values)
    half_life = 3 * 86_400
    rows = asked(
        "attribution", tenant, **values, goals=[], touch_types=[], models=[], half_life_seconds=half_life
    )
    known = list(dict.fromkeys(row["model"] for row in rows))
    assert known == [
        "first",
        "last",
        "last_non_direct",
        "linear",
        "position",
        "time_decay",
        "shapley",
        "markov",
    ]
    for model in known:
        mine = [row for row in rows if row["model"] == model]
        same(
            columns(mine, "touch", "currency", "conversions", "revenue_minor"),
            [(*key, *credit) for key, credit in credits_of(model, paths, half_life).items()],
        )
        assert isclose(sum(row["conversions"] for row in mine), sum(path.converted for path in paths))
        assert isclose(
            sum(row["revenue_minor"] for row in mine), sum(path.amount for path in paths), abs_tol=1e-6
        )


def test_routes_are_paths_without_repeats_and_how_often_they_convert(asked: Asked) -> None:
    values = {**EVER, "within_seconds": 30 * 86_400, "by": "channel", "top": 4}
    counted: dict[str, list[tuple[bool, float]]] = {}
    for path in conversions(asked, SIMULATED, **values):
        route = " → ".join(name for name, _ in groupby(path.touches))
        counted.setdefault(route, []).append((path.converted, path.ages[0]))
    rows = asked("conversion_routes", SIMULATED, **values, goals=[], touch_types=[], routes=10_000)
    same(
        columns(rows, "route", "conversions", "paths", "converted_share", "median_seconds"),
        [
            (
                route, sum(done for done, _ in all_), len(all_), sum(done for done, _ in all_) / len(all_),
                oracle.quantile([age for done, age in all_ if done], 0.5),
            )
            for route, all_ in counted.items()
        ],
    )  # fmt: skip


#: Conversions of ads, email, social and (direct) from by_hand, reckoned on paper.
#:   the paths: ads social email direct → 100, ads direct → 50, ads email → nothing, email social direct → 150
EQUAL_PARTS = {
    "ads": 1 / 4 + 1 / 2, "email": 1 / 4 + 1 / 3, "social": 1 / 4 + 1 / 3, "(direct)": 1 / 4 + 1 / 2 + 1 / 3,
}  # fmt: skip
ON_PAPER = {
    "first": {"ads": 2, "email": 1},
    "last": {"(direct)": 3},
    "last_non_direct": {"ads": 1, "email": 1, "social": 1},
    "linear": EQUAL_PARTS,
    "position": {"ads": 0.4 + 0.5, "email": 0.1 + 0.4, "social": 0.1 + 0.2, "(direct)": 0.4 + 0.5 + 0.4},
    # a touch is worth half of the one a day later: 1 2 4 8 of 15, 1 2 of 3, 1 2 4 of 7
    "time_decay": {
        "ads": 1 / 15 + 1 / 3, "email": 4 / 15 + 1 / 7, "social": 2 / 15 + 2 / 7, "(direct)": 8 / 15 + 2 / 3 + 4 / 7,
    },
    "shapley": EQUAL_PARTS,
    # From ads one of three goes on to social, email and (direct) each; from email to (direct), to loss and to social;
    # from social one of two to email and to (direct). Every conversion ends by (direct): without it all are lost. With
    # e and s for the chance of email and social to convert: e = 1/3 + s/3 and s = 1/2 + e/2, so e = 3/5, s = 4/5; ads:
    # (4/5 + 3/5 + 1) / 3 = 4/5. Three of four begin with ads, one with email: 3/4 · 4/5 + 1/4 · 3/5 = 3/4.
    # Without ads 1/4 · 3/5 = 3/20 convert: effect 4/5. Without email s = 1/2 and ads 1/2: 3/8, effect 1/2.
    # Without social e = 1/3 and ads 4/9: 3/4 · 4/9 + 1/4 · 1/3 = 5/12, effect 4/9. The sum is 247/90.
    "markov": {"ads": 3 * 72 / 247, "email": 3 * 45 / 247, "social": 3 * 40 / 247, "(direct)": 3 * 90 / 247},
}  # fmt: skip


def test_every_model_gives_what_a_person_reckons_on_paper(asked: Asked) -> None:
    values = {
        **EVER,
        "goals": ["order_placed"],
        "touch_types": [],
        "within_seconds": 30 * 86_400,
        "by": "channel",
        "top": 10,
    }
    rows = asked("attribution", HAND, **values, models=[], half_life_seconds=86_400)
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        found.setdefault(row["model"], {})[row["touch"]] = row["conversions"]
    assert found == {model: pytest.approx(shares) for model, shares in ON_PAPER.items()}
    last = [row["revenue_minor"] for row in rows if row["model"] == "last"]
    assert last == [300]
    only = asked("attribution", HAND, **values, models=["linear", "markov"], half_life_seconds=1)
    assert {row["model"] for row in only} == {"linear", "markov"}


FUNNEL = {"steps": ["a"], "within_seconds": 1, "order": "ordered", "per": "person", "by": "", "top": 1}
ATTRIBUTION = {
    "goals": [], "touch_types": [], "within_seconds": 1, "by": "channel", "top": 1, "models": [],
    "half_life_seconds": 1,
}  # fmt: skip


@pytest.mark.parametrize(
    ("view", "values", "says"),
    [
        ("funnel", FUNNEL | {"steps": []}, "a funnel has 1 to 30 steps"),
        ("funnel", FUNNEL | {"order": "up"}, "order is ordered, strict"),
        ("funnel", FUNNEL | {"steps": ["a", "a"], "order": "any"}, "in any order each step is named once"),
        ("funnel", FUNNEL | {"per": "moon"}, "per is person or session"),
        ("funnel", FUNNEL | {"by": "moon"}, "by is empty, channel"),
        ("channel_mix", {"period": "year"}, "period is hour, day or week"),
        ("carts", {"within_seconds": 1, "by": "moon"}, "by is channel, type"),
        ("cohorts", {"by": "moon", "weeks": 1}, "by is empty, channel or campaign"),
        (
            "paths",
            {"anchor": "", "direction": "up", "hops": 1, "per": "session", "top": 1},
            "direction is after or",
        ),
        ("attribution", ATTRIBUTION | {"by": "moon"}, "by is channel, source or campaign"),
        ("attribution", ATTRIBUTION | {"models": ["moon"]}, "models are first, last"),
        ("attribution", ATTRIBUTION | {"half_life_seconds": 0}, "half_life_seconds is above 0"),
        ("attribution", ATTRIBUTION | {"top": 101}, "top is at most 100"),
        ("revenue", {"bucket_seconds": 0}, "bucket_seconds is above 0"),
    ],
)
def test_a_wrong_value_is_refused_in_the_views_own_words_also_where_there_is_nobody(
    asked: Asked, view: str, values: dict[str, Any], says: str
) -> None:
    with pytest.raises(SinkError, match=f"^{says}") as refused:
        asked(view, "nobody", **EVER, **values)
    assert "while executing" not in str(refused.value)


def test_names_with_quotes_and_braces_are_values_and_never_sql(asked: Asked) -> None:
    names = ["it's", 'a "b" \\ {tenant:String}', "') OR 1 = 1 --"]
    values = {**EVER, "steps": names, "within_seconds": 1, "order": "ordered", "per": "person", "top": 1}
    assert asked("funnel", "no'body", **values, by="") == []
    assert asked("funnel", SIMULATED, **values, by="experiment:it's {x:String}") == []


def test_the_comments_in_clickhouse_are_those_that_reports_and_documents_are_made_from(asked: Asked) -> None:
    from sinks.clickhouse.read.questions import question_of

    stored = asked.store.query("SELECT name, comment FROM system.tables WHERE database = currentDatabase()")
    found = {name: question_of(name, comment) for name, comment in stored}
    assert {name: question for name, question in found.items() if question} == questions()


@pytest.mark.parametrize("name", questions())
def test_the_example_of_every_question_runs(asked: Asked, name: str) -> None:
    asked.store.query(questions()[name].example)


def report(asked: Asked, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    where = asked.store.where
    monkeypatch.setenv("TOUCHLINE_CLICKHOUSE_URL", f"clickhouse://{where.host}:{where.port}/{where.database}")
    monkeypatch.setenv("COLUMNS", "160")
    return CliRunner().invoke(command, [*words, "--tenant", SIMULATED])


STEPS = ("product_view", "add_to_cart", "order_placed")
#: From before 1970 until now: `--since ever`, and a half-open period that contains all touchpoints.
FUNNEL_WORDS = ("funnel", *STEPS, "--since", "ever", "--within", "7d")


def test_a_report_prints_a_picture_and_a_table_of_what_the_view_says(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {
        "since": EARLIEST_MS,
        "until": START + 400 * DAY,
        "steps": list(STEPS),
        "within_seconds": 604_800,
    }
    rows = asked("funnel", SIMULATED, **FUNNEL | values | {"top": 10})
    done = report(asked, monkeypatch, *FUNNEL_WORDS)
    assert done.exit_code == 0, done.output
    picture, table = done.stdout.split("┏")
    for row in rows:
        assert f"{row['step']} · {row['type']}" in picture
        assert f"{row['reached']} · {row['from_first_share'] * 100:.1f}%" in picture
        assert f"│ {row['reached']} " in table


def test_a_report_is_json_csv_or_a_page_for_others(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = report(asked, monkeypatch, *FUNNEL_WORDS, "--json").stdout.splitlines()
    found = [json.loads(line) for line in lines]
    assert [row["type"] for row in found] == list(STEPS)
    header, *rows = csv.reader(report(asked, monkeypatch, *FUNNEL_WORDS, "--csv").stdout.splitlines())
    assert header == list(found[0])
    assert [row[header.index("reached")] for row in rows] == [str(row["reached"]) for row in found]

    done = report(asked, monkeypatch, *FUNNEL_WORDS, "--html", str(tmp_path / "funnel.html"))
    assert (done.exit_code, done.stdout) == (0, "")
    text = (tmp_path / "funnel.html").read_text(encoding="utf-8")
    assert f'<td class="n">{found[0]["reached"]}</td>' in text

    assert report(asked, monkeypatch, *FUNNEL_WORDS, "--html", str(tmp_path / "no" / "x")).exit_code == 1
    assert report(asked, monkeypatch, *FUNNEL_WORDS, "--json", "--csv").exit_code == 2
    assert report(asked, monkeypatch, "funnel").exit_code == 2


def test_a_report_about_nobody_says_how_to_ask_about_everything(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = report(asked, monkeypatch, "channels", "--since", "1999-01-01", "--until", "1999-02-01")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "--since ever" in done.stderr


@pytest.mark.parametrize("name", sorted(name for name, one in REPORTS.items() if one in JOURNEYS))
def test_every_report_draws_what_its_view_answers(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    words = STEPS[:2] if name == "funnel" else ()
    done = report(asked, monkeypatch, name, *words, "--since", "ever")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(REPORTS[name].title)
    assert len(done.stdout.splitlines()) > 5
