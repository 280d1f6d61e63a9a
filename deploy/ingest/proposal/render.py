"""Writes the roles of a file's columns as a mapping, with comments that say why."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from deploy.ingest.proposal.profile import Profile, profile
from deploy.ingest.proposal.roles import Role, Roles, roles
from deploy.ingest.reading.files import Format, Layout
from schemas.catalogue import Catalogue
from schemas.touchpoint.names import canonical

#: What stands in cells that are empty.
_EMPTY: Final = ("-", "--", "NULL", "null", "None", "N/A", "n/a", "\\N", "(not set)", "nan", "NaN")
_MONTHS: Final = 12
#: Decimal places that some currency has.
_PLACES: Final = 3
#: Likeness (0 to 1) from which a known name is proposed.
_NEAR: Final = 0.7


def rows_mapping(
    values: list[Any], form: Format, layout: Layout, catalogue: Catalogue, *, named: bool
) -> str:
    """The proposal for rows; `named` says whether the file's first line names its columns."""
    empty = _empty_marks(profile(values))
    found = profile(values, frozenset(empty))
    made = roles(found)
    return "\n".join(
        [
            f"# Proposed from the first {found.rows:,} rows. Read every line: a name can deceive.",
            *unnamed_lines(found),
            *_layout_lines(form, layout, named, empty, found),
            *_event_id_lines(made),
            "",
            *_table("constants", _constants(made)),
            *_table("columns", _columns(made)),
            *identifier_lines(made, found),
            "",
            *_attribute_lines(made),
            *_lookup_lines("type", made.type, catalogue.types, catalogue.type_aliases),
            *_lookup_lines("channel", made.channel, catalogue.channels, catalogue.channel_aliases),
            *_time_lines(made),
            *_amount_lines(made),
        ]
    ).rstrip("\n") + "\n"  # fmt: skip


def _layout_lines(
    form: Format, layout: Layout, named: bool, empty: list[str], found: Profile
) -> Iterator[str]:
    if form == "csv":
        yield f"delimiter = {toml_text(layout.delimiter)}"
    if form != "parquet" and layout.encoding != "utf-8":
        yield f"encoding = {toml_text(layout.encoding)}"
    if not named:
        yield "# The first line is a row already: name the columns."
        yield f"header = {toml_list(layout.header)}"
    if empty:
        yield f"empty = {toml_list(empty)}            # stands in cells that are empty"
    floats = [column.name for column in found.columns.values() if column.became_float()]
    if floats:
        yield f"whole_numbers = {toml_list(floats)}   # 123.0 is 123"
    if form != "csv":
        sparse = [column.name for column in found.columns.values() if column.rows < found.rows]
        if sparse:
            yield f"optional = {toml_list(sparse)}"


def _event_id_lines(made: Roles) -> Iterator[str]:
    if made.event_id is None:
        yield "# No column is different in every row: two rows that are equal in every column are one touchpoint."
        yield "derive_event_id = true"


def _constants(made: Roles) -> Iterator[str]:
    yield 'source = "export"             # give the source its name'
    if made.channel is None:
        yield 'channel = "web"               # no column looks like a channel: check this one'
    if made.type is None:
        yield 'type = "page_view"            # no column looks like a type: check this one'
    if made.amount is not None and made.currency is None:
        yield 'currency = "EUR"              # no column holds one: check this one'
    if made.amount_minor is not None and made.currency is None:
        yield 'currency = "EUR"              # no column holds one: check this one'


def _columns(made: Roles) -> Iterator[str]:
    named: dict[str, Role | None] = {
        "event_id": made.event_id, "occurred_at": made.time, "type": made.type, "channel": made.channel,
        **made.references, "amount": made.amount, "amount_minor": made.amount_minor, "currency": made.currency,
    }  # fmt: skip
    for field, role in named.items():
        if role is not None:
            yield f"{field} = {toml_text(role.column.name)}   # {role.why}"
    if made.time is None:
        yield 'occurred_at = "?"             # no column holds times: name the one that does'


def unnamed_lines(found: Profile) -> list[str]:
    """A remark about the column that a mapping cannot name, if there is one."""
    return (
        ["# A column has the empty name: no mapping can name it, so it is left out."] if found.unnamed else []
    )


def identifier_lines(made: Roles, found: Profile) -> list[str]:
    """The table of identifiers: never empty, since a mapping needs one."""
    lines = ["[identifiers]"]
    for kind, listed in made.identifiers.items():
        names = [role.column.name for role in listed]
        value = toml_text(names[0]) if len(names) == 1 else toml_list(names)
        lines.append(f"{kind} = {value}   # {listed[0].why}")
    if not made.identifiers and not found.columns:
        lines.append('customer_id = "?"             # the rows have no column: name the one that holds it')
    elif not made.identifiers:
        likely = next(
            (name for name in found.columns if name.lower().endswith("id")), next(iter(found.columns))
        )
        lines.append(
            f"customer_id = {toml_text(likely)}   # no column looks like an identifier: check this one"
        )
    return lines


def _attribute_lines(made: Roles) -> Iterator[str]:
    if made.attributes:
        yield "# Columns with few different values. Columns that may hold names, addresses or free text are left out."
        yield "[attributes]"
        yield from (f"{_key(one.name)} = {toml_text(one.name)}" for one in made.attributes)
        yield ""


def _lookup_lines(
    field: str, role: Role | None, known: Collection[str], aliases: Mapping[str, str]
) -> Iterator[str]:
    if role is None:
        return
    names = {*known, *aliases}
    lacking = [one for one in role.column.distinct if canonical(one) not in names]
    if lacking:
        yield f"# The catalogue does not name these {field}s. What stays as it is is kept, and counts as other."
        yield f"[lookup.{field}]"
        for one in lacking:
            near = get_close_matches(canonical(one), sorted(names), n=1, cutoff=_NEAR)
            yield f"# {toml_text(one)} = {toml_text(near[0] if near else '')}"
        yield ""


def _time_lines(made: Roles) -> Iterator[str]:
    form = made.time.column.time_format() if made.time else None
    if made.time is None or form is None:
        return
    yield "[time]"
    other = form.replace("%d/%m", "%m/%d")
    days = [one.split("/")[0] for one in made.time.column.texts] if form.startswith("%d/%m") else []
    if days and all(int(day) <= _MONTHS for day in days if day.isdecimal()):
        yield f"# In this sample {toml_text(other)} fits as well: check which it is."
    yield f"format = {toml_text(form)}"
    if (
        not form.startswith("epoch")
        and not (form == "iso" and made.time.column.names_zone())
        and "%z" not in form
    ):
        yield 'zone = "UTC"                  # the times name none: check this one'
    yield ""


def _amount_lines(made: Roles) -> Iterator[str]:
    if made.amount is None:
        return
    texts = made.amount.column.texts
    point = "," if any(re.search(r",[0-9]{1,2}$", one) for one in texts) else "."
    groups = "." if point == "," else ","
    yield "[amount]"
    yield f"decimal = {toml_text(point)}"
    if any(groups in one for one in texts):
        yield f"thousands = {toml_text(groups)}"
    if any(len(one.rpartition(point)[2]) > _PLACES for one in texts if point in one):
        yield "round = true                  # some have more decimal places than a currency"


def _table(name: str, lines: Iterator[str]) -> list[str]:
    return [f"[{name}]", *lines, ""]


def _empty_marks(found: Profile) -> list[str]:
    texts = {text for column in found.columns.values() for text in column.distinct}
    return [mark for mark in _EMPTY if mark in texts]


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() and name.isascii() else toml_text(name)


def toml_list(names: Any) -> str:
    """A list of texts."""
    return "[" + ", ".join(map(toml_text, names)) + "]"


def toml_text(text: str) -> str:
    """A TOML text: a JSON text, but for DEL, which JSON leaves as it is."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
