"""What a panel is: a question to a view, how its rows are shown as a table, and the chart drawn from that table. Pure.

The table is what the server sends. The browser draws the chart from the cells of the table, so both show the same
numbers, and a person who cannot see the chart loses nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

Kind: TypeAlias = Literal[
    "text",
    "number",
    "decimal",
    "percent",
    "span",
    "time",
    "ago",
    "money",
    "list",
    "identifier",
    "profile",
    "chips",
    "code",
]
ChartKind: TypeAlias = Literal["bar", "stacked", "funnel", "sankey", "heatmap", "line", "graph", "timeline"]

#: Kinds whose cells stand at the right, as figures do.
FIGURES: Final = frozenset(("number", "decimal", "percent", "span", "money"))


@dataclass(frozen=True)
class Column:
    """A column of the table. `link` makes its cells links: a path below the tenant, with {column} placeholders."""

    name: str
    title: str
    kind: Kind = "text"
    link: str = ""
    hint: str = ""  #: one sentence on what it means, where the title does not say it
    empty: str = "none"  #: stands where a text is empty
    bad: str = ""  #: a value that is bad news, or the column that says whether this one's is
    hidden: bool = False  #: only the chart needs it


@dataclass(frozen=True)
class Chart:
    """A picture of the table; `roles` says which column plays which part (x, y, value, label, series, from, to)."""

    kind: ChartKind
    roles: Mapping[str, str]
    height: int = 260  #: pixels, reserved before it is drawn, so that nothing moves


@dataclass(frozen=True)
class Panel:
    """One question of a page. `sql` has {where} for tenant and filters, {period} for the
    parameters of a view that answers for a period, and %(name)s for parameters."""

    name: str
    title: str
    meaning: str  #: one or two sentences: what is counted, from which view
    sql: str
    columns: tuple[Column, ...]
    kinds: tuple[str, ...]  #: changes (tail.KINDS) after which the answer may be another
    relation: str = "nothing"  #: of filters.CONDITIONS: which filters apply
    chart: Chart | None = None
    shape: Literal["table", "tiles", "strip"] = "table"
    empty: str = "Nothing in this time range. Choose a longer one."
    wide: bool = False  #: as wide as the page
    span2: bool = False  #: as wide as two others, where there is room
    short: bool = False  #: its table has few rows
    row: str = ""  #: the column that names a row, for lists in which new rows are marked
    every_tenant: bool = False  #: its rows belong to no tenant: only for viewers of all tenants
    takes: tuple[str, ...] = ()  #: further parameters that the address gives, empty if it does not
    #: parameters of the address whose value chooses a piece of SQL, the first by default: a closed list
    choices: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """A page made of panels."""

    name: str
    title: str
    panels: tuple[Panel, ...]
    filters: bool = True  #: whether the filter bar stands above it
