"""Grafana's dashboards: the files are what the code says, and ask what is there."""

import re

import pytest

from deploy.grafana.dashboards import BOARDS, Board
from schemas.metrics import catalogue as metrics


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_the_provisioned_file_is_what_the_code_makes(board: Board) -> None:
    pytest.importorskip("grafana_foundation_sdk", reason="pip install -e '.[grafana]'")
    from deploy.grafana.render import PROVISIONED, render

    assert (PROVISIONED / f"{board.uid}.json").read_text() == render(board), "python -m deploy.grafana.render"


def test_every_metric_that_a_panel_asks_for_is_measured() -> None:
    measured = {sample for metric in metrics.ALL for sample in metric.samples}
    queries = [asked.text for board in BOARDS for asked in board.panels if asked.source == "prometheus"]
    assert queries
    for query in queries:
        names = set(re.findall(r"touchline_\w+", query))
        assert names
        assert names <= measured, query


def test_panels_of_one_dashboard_have_different_titles_and_fit_its_width() -> None:
    for board in BOARDS:
        titles = [asked.title for asked in board.panels]
        assert len(set(titles)) == len(titles)
        assert all(0 < asked.width <= 24 for asked in board.panels)
