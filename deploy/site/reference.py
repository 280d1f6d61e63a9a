"""The pages of the reference, made from the code: settings, commands, topics, schemas and views."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import typer

from deploy.cli.main import COMMANDS, build
from deploy.cli.topics import kept
from schemas.settings import Settings
from schemas.topics import ALL
from sinks.clickhouse.migrate import MIGRATIONS, read_migrations
from sinks.clickhouse.read.questions import questions, unquoted

AVRO: Final = Path(__file__).parents[2] / "schemas" / "avro"
_LITERAL: Final = r"'((?:[^'\\]|''|\\.)*)'"
_VIEW: Final = re.compile(rf"CREATE OR REPLACE VIEW (\w+) AS\b.*\bCOMMENT\s+{_LITERAL}\s*\Z", re.DOTALL)
_DROP: Final = re.compile(r"DROP (?:VIEW|TABLE) (?:IF EXISTS )?(\w+)")
_COLUMNS: Final = re.compile(r"ALTER TABLE (\w+)\s+COMMENT COLUMN")
_COLUMN: Final = re.compile(rf"COMMENT COLUMN (\w+) {_LITERAL}")


def settings() -> str:
    """Every setting, with its default and its meaning."""
    rows = [
        (
            f"`{each.metadata['variable']}`",
            f"`{each.default}`" if each.default != "" else "",
            each.metadata["meaning"],
        )
        for each in fields(Settings)
    ]
    return _page(
        "Settings",
        "Settings are read from the environment. A wrong value or a misspelt `TOUCHLINE_…` variable stops a command.",
        _table(("variable", "default", "meaning"), rows),
    )


def commands() -> str:
    """Every command: what it says of itself, its arguments and its options."""
    parts: list[str] = []
    group: Any = typer.main.get_command(build())
    for name in COMMANDS:
        parts += _command(f"touchline {name}", group.commands[name], 2)
    return _page(
        "Commands", "Exit codes: 0 done, 1 failed (one sentence on standard error), 2 wrong usage.", *parts
    )


def topics() -> str:
    """Every topic: key, what is kept, who writes and who reads."""
    rows = [
        (f"`{topic.name}`", topic.key, kept(topic), ", ".join(topic.written_by), ", ".join(topic.read_by))
        for topic in ALL
    ]
    return _page(
        "Topics",
        "`TOUCHLINE_TOPIC_PREFIX` stands before each name. Values are Avro single objects.",
        _table(("topic", "key", "kept", "written by", "read by"), rows),
    )


def schemas() -> str:
    """Every Avro schema, field by field."""
    parts: list[str] = []
    for path in sorted(AVRO.glob("*.avsc")):
        schema = json.loads(path.read_text())
        rows = [
            (f"`{field['name']}`", f"`{_kind(field['type'])}`", field.get("doc", ""))
            for field in schema["fields"]
        ]
        parts += [f"## {path.stem}", schema.get("doc", ""), _table(("field", "type", "meaning"), rows)]
    return _page(
        "Schemas", "Fields of each record, from `schemas/avro`; examples are in `schemas/examples`.", *parts
    )


def views() -> str:
    """Every view of ClickHouse without parameters: what a row is, and its columns."""
    meanings: dict[str, str] = {}
    columns: dict[str, dict[str, str]] = {}
    for migration in read_migrations(MIGRATIONS):
        for statement in migration.statements:
            if view := _VIEW.match(statement):
                meanings[view[1]] = unquoted(view[2])
            if dropped := _DROP.match(statement):
                meanings.pop(dropped[1], None)
            if altered := _COLUMNS.match(statement):
                of = columns.setdefault(altered[1], {})
                of |= {name: unquoted(text) for name, text in _COLUMN.findall(statement)}
    parts: list[str] = []
    for name in sorted(meanings.keys() - questions().keys()):
        rows = [(f"`{column}`", text) for column, text in columns.get(name, {}).items()]
        parts += [f"## {name}", meanings[name], _table(("column", "meaning"), rows) if rows else ""]
    return _page(
        "Views",
        "Views of ClickHouse that are read as tables. Those with parameters are on the page"
        " [Questions](../questions.md). `DESCRIBE TABLE` has the types.",
        *parts,
    )


#: Page → what makes it.
PAGES: Final[Mapping[str, Callable[[], str]]] = MappingProxyType(
    {"settings": settings, "commands": commands, "topics": topics, "schemas": schemas, "views": views}
)


def _command(name: str, command: Any, level: int) -> Iterator[str]:
    """The parts of a page about a command and those below it. typer carries its own click, so types are not ours."""
    yield f"{'#' * level} {name}"
    yield (command.help or "").strip()
    rows = []
    for parameter in command.params:
        if parameter.name == "help":
            continue
        names = parameter.opts + parameter.secondary_opts
        shown = (
            ", ".join(f"`{each}`" for each in names)
            if parameter.param_type_name == "option"
            else f"`{parameter.name.upper()}`"
        )
        rows.append((shown, getattr(parameter, "help", None) or ""))
    if rows:
        yield _table(("option", "meaning"), rows)
    for below, child in getattr(command, "commands", {}).items():
        yield from _command(f"{name} {below}", child, level + 1)


def _kind(kind: Any) -> str:
    """An Avro type in a few words."""
    if isinstance(kind, list):
        return " or ".join(_kind(each) for each in kind)
    if isinstance(kind, dict):
        if kind["type"] == "array":
            return f"array of {_kind(kind['items'])}"
        if kind["type"] == "map":
            return f"map of {_kind(kind['values'])}"
        return str(kind.get("name") or kind.get("logicalType") or kind["type"]).rpartition(".")[2]
    return str(kind).rpartition(".")[2]


def _page(title: str, introduction: str, *parts: str) -> str:
    return "\n\n".join((f"# {title}", introduction, *(part for part in parts if part))) + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    """Text that stays in its cell and is no markup."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
