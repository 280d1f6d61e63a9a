"""A value as a cell shows it: grouped figures, spans, money in its minor units, times for the viewer's zone. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote, urlencode

from schemas.words import money, span, when
from sinks.page.panels import FIGURES, Column

NOTHING: Final = "\N{EN DASH}"
#: Characters of a pseudonym or a profile id that a cell shows; nobody reads more.
SHORT: Final = 8
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Cell:
    """One cell: its text, the bare value for charts and for telling changes, and what it is beside that."""

    text: str
    value: str
    figure: bool = False
    moment: str = ""  #: ISO 8601 in UTC, for times
    ago: bool = False  #: the time is shown as an age
    href: str = ""
    parts: tuple[str, ...] = ()  #: of a list
    code: bool = False
    bad: bool = False  #: bad news


def cell(
    column: Column,
    row: Mapping[str, Any],
    base: str,
    now: int,
    kept: Mapping[str, str] = MappingProxyType({}),
) -> Cell:
    """The cell of a row. `base` is the path of the tenant, for links; `now` UTC ms, for ages.

    `kept` are parameters of the present address that go along with links to lists.
    """
    value = row[column.name]
    href = link(column.link, row, base, kept) if column.link and value not in (None, "") else ""
    figure = column.kind in FIGURES
    bad = bool(column.bad) and (bool(row[column.bad]) if column.bad in row else value == column.bad)
    if value is None:
        return Cell(NOTHING, "", figure)
    if isinstance(value, datetime):
        at = milliseconds(value)
        ago = column.kind == "ago"
        text = f"{span(now - at)} ago" if ago else f"{when(at, now)} UTC"
        return Cell(text, str(at), moment=iso(at), ago=ago, href=href)
    if column.kind in ("list", "chips"):
        parts = tuple(str(part) for part in value)
        return Cell(
            ", ".join(parts) or NOTHING, "|".join(parts), parts=parts if column.kind == "chips" else ()
        )
    return Cell(
        _text(column, value, row), _bare(value), figure, href=href, code=column.kind == "code", bad=bad
    )


def link(
    template: str, row: Mapping[str, Any], base: str, kept: Mapping[str, str] = MappingProxyType({})
) -> str:
    """A link below the tenant; every value is quoted, so that none of them ends its place in the address."""
    path, _, query = template.format_map(
        {name: quote(str(value), safe="") for name, value in row.items()}
    ).partition("?")
    named = {pair.partition("=")[0] for pair in query.split("&")}
    if "id" not in named:
        query = "&".join(
            [*filter(None, [query]), *(urlencode({n: v}) for n, v in kept.items() if n not in named)]
        )
    return f"{base}{path}?{query}" if query else base + path


def identifier(value: str) -> str:
    """An identifier's value as a person compares it: of a pseudonym the first characters. It unmasks nothing."""
    return f"{value.split(':')[-1][:SHORT]}…" if value.startswith("hmac:") else value


def milliseconds(moment: datetime) -> int:
    """A time from ClickHouse as UTC ms."""
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH) // timedelta(milliseconds=1)


def iso(at: int) -> str:
    """UTC ms as ISO 8601."""
    return (_EPOCH + timedelta(milliseconds=at)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _text(column: Column, value: Any, row: Mapping[str, Any]) -> str:
    match column.kind:
        case "number":
            return f"{int(value):,}"
        case "decimal":
            return f"{float(value):,.2f}".rstrip("0").rstrip(".")
        case "percent":
            return f"{float(value) * 100:,.1f} %"
        case "span":
            return span(int(float(value) * 1000))
        case "money":
            return money(int(value), str(row["currency"]))
        case "identifier":
            kind, colon, name = str(value).partition(":")
            return f"{kind}{colon}{identifier(name)}"
        case "profile":
            return str(value)[:SHORT]
    return str(value) if value != "" else column.empty


def _bare(value: Any) -> str:
    return repr(value) if isinstance(value, float) else str(value)
