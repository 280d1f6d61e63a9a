"""Makes the dashboards' JSON with Grafana's foundation SDK: `python -m deploy.grafana.render` writes provisioned/."""

import json
from pathlib import Path
from typing import Any, Final

from grafana_foundation_sdk.builders import bargauge, dashboard, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

from deploy.grafana.dashboards import BOARDS, Asked, Board

PROVISIONED: Final = Path(__file__).with_name("provisioned")
#: Data source → its plugin. The ids are those of provisioned/datasources.yaml.
PLUGINS: Final = {"clickhouse": "grafana-clickhouse-datasource", "prometheus": "prometheus"}
_HEIGHT: Final = 8  #: rows of Grafana's grid
_SHAPES: Final[dict[str, Any]] = {
    "stat": stat.Panel,
    "lines": timeseries.Panel,
    "bars": bargauge.Panel,
    "table": table.Panel,
}
_TENANTS: Final = "SELECT DISTINCT toString(tenant) AS tenant FROM journeys ORDER BY tenant"


class Query(Dataquery):  # type: ignore[misc]
    """One query as the data source's plugin reads it."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def to_json(self) -> dict[str, Any]:
        """The query's JSON."""
        source = {"type": PLUGINS[self._asked.source], "uid": f"touchline-{self._asked.source}"}
        if self._asked.source == "prometheus":
            return {
                "refId": "A",
                "datasource": source,
                "expr": self._asked.text,
                "legendFormat": self._asked.legend,
            }
        lines = self._asked.shape == "lines"
        return {
            "refId": "A", "datasource": source, "editorType": "sql", "rawSql": self._asked.text,
            "queryType": "timeseries" if lines else "table", "format": 0 if lines else 1,
        }  # fmt: skip


class _Built:
    """A query that is built already."""

    def __init__(self, query: Query) -> None:
        self._query = query

    def build(self) -> Query:
        return self._query


def render(board: Board) -> str:
    """A dashboard's JSON."""
    built = (
        dashboard.Dashboard(board.title).uid(board.uid).tags(["touchline"]).timezone("browser").refresh("30s")
        .time("now-30d", "now").readonly()
    )  # fmt: skip
    if board.tenants:
        built = built.with_variable(
            dashboard.QueryVariable("tenant").label("Tenant").datasource(_source("clickhouse")).query(_TENANTS)
            .refresh(VariableRefresh.ON_DASHBOARD_LOAD)
        )  # fmt: skip
    for asked in board.panels:
        built = built.with_panel(_panel(asked))
    return json.dumps(json.loads(json.dumps(built.build(), cls=JSONEncoder)), indent=2, sort_keys=True) + "\n"


def _panel(asked: Asked) -> Any:
    panel = (
        _SHAPES[asked.shape]().title(asked.title).description(asked.meaning).height(_HEIGHT).span(asked.width)
    )
    return panel.unit(asked.unit).datasource(_source(asked.source)).with_target(_Built(Query(asked)))


def _source(name: str) -> DataSourceRef:
    return DataSourceRef(type_val=PLUGINS[name], uid=f"touchline-{name}")


def main() -> None:
    """Write every dashboard's file."""
    for board in BOARDS:
        (PROVISIONED / f"{board.uid}.json").write_text(render(board))


if __name__ == "__main__":
    main()
