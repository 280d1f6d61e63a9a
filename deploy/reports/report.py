"""What a report is: a question, how its command's words become parameters, and how its rows are drawn."""

from dataclasses import dataclass
from typing import Literal

#: bars   a bar for each row: `label` names it, `value` is its length
#: flow   from → to: `label` is (from, to); a bar in the terminal, a Sankey diagram on the page
#: heat   a grid: `label` is (row, column), `value` its shade
#: stack  a bar for each first label, divided by the second: shares over time
Kind = Literal["bars", "flow", "heat", "stack"]


@dataclass(frozen=True)
class Drawing:
    """How rows become a picture. All fields are names of the view's columns."""

    kind: Kind
    label: tuple[str, ...]
    value: str
    #: Columns that part the rows into pictures of their own, such as the group of a funnel.
    parts: tuple[str, ...] = ()
    #: A column of shares of 1: printed as per cent beside the bar.
    share: str | None = None
    #: Of a flow: the column that says how many steps from the beginning `from` is.
    layer: str | None = None


@dataclass(frozen=True)
class Report:
    """A report under the name that `touchline report` knows it by. It reads one view and draws it."""

    name: str
    view: str  #: a question of sinks.clickhouse.read.questions
    title: str
    drawing: Drawing
    #: The parameter that takes the words after the report's name: funnel STEP STEP …
    words: str | None = None
    #: Columns that are neither in the terminal's table nor on the page; --json and --csv have them.
    hidden: tuple[str, ...] = ()
