"""Filters: all of them in the address, none of them in the SQL."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.page.asked import asked, statement
from sinks.page.filters import CONDITIONS, NAMES, RANGES, Filters, unused
from sinks.page.panels import Panel
from sinks.page.questions import PANELS

NOW = datetime(2026, 5, 1, 12, 30, 59, tzinfo=UTC)
texts = st.text(st.characters(codec="utf-8"), max_size=40)


@given(st.dictionaries(st.sampled_from(NAMES), texts), st.sampled_from(list(RANGES)))
def test_an_address_brings_back_the_same_filters(chosen: dict[str, str], length: str) -> None:
    filters = Filters(range=length, **chosen)
    assert Filters.parse(dict(parse_qsl(filters.query()))) == filters


@given(st.dictionaries(st.sampled_from([*NAMES, "range", "id", "kind", "order", "other"]), texts))
def test_no_text_of_an_address_is_ever_part_of_the_sql(query: dict[str, str]) -> None:
    marked = {name: f"\u2603{value}" for name, value in query.items()}
    for panel in PANELS.values():
        sql, values = statement(panel, asked(panel, "shop", marked), NOW)
        assert "\u2603" not in sql
        assert "{" not in sql, panel.name
        assert values["tenant"] == "shop"
        sql % dict.fromkeys(values, "")  # every placeholder has its value


def test_every_panel_reads_one_tenant_or_is_for_viewers_of_all() -> None:
    for panel in PANELS.values():
        sql, _ = statement(panel, asked(panel, "shop", {}), NOW)
        assert ("%(tenant)s" in sql) != panel.every_tenant, panel.name


def test_every_panel_names_its_columns_once_and_its_chart_draws_some_of_them() -> None:
    for panel in PANELS.values():
        names = [column.name for column in panel.columns]
        assert len(set(names)) == len(names), panel.name
        if panel.chart is not None:
            assert set(panel.chart.roles.values()) <= set(names), panel.name


def test_a_time_range_ends_with_this_minute_so_that_viewers_share_answers() -> None:
    values = Filters(range="24h").parameters(NOW)
    assert (values["since"], values["until"]) == ("2026-04-30 12:31:00.000", "2026-05-01 12:31:00.000")
    assert Filters(range="all").parameters(NOW)["since"].startswith("1900")


@pytest.mark.parametrize("query", [{"range": "5y"}, {"range": ""}, {"colour": "red"}, {"channel": ""}])
def test_whatever_is_no_filter_is_left_out(query: dict[str, str]) -> None:
    assert Filters.parse(query) == Filters()


def test_a_filter_that_a_panel_cannot_use_is_named_beside_its_title() -> None:
    chosen = Filters(channel="web", source="crm")
    assert unused("journeys", chosen) == ["Source"]
    assert unused("nothing", chosen) == ["Channel", "Source"]
    assert set().union(*(known.keys() for known in CONDITIONS.values())) <= {*NAMES, "range"}


def test_an_experiment_may_be_narrowed_to_a_variant() -> None:
    values = Filters(experiment="checkout=b=2").parameters(NOW)
    assert (values["experiment"], values["variant"]) == ("checkout", "b=2")


def test_answers_are_shared_unless_the_question_differs() -> None:
    panel: Panel = PANELS["largest"]
    assert asked(panel, "shop", {"channel": "web"}) == asked(panel, "shop", {"range": "7d", "kind": "x"})
    totals = PANELS["totals"]
    assert asked(totals, "shop", {"channel": "web"}) != asked(totals, "shop", {})
    assert asked(totals, "shop", {}) != asked(totals, "acme", {})
