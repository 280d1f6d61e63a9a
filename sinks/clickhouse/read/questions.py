"""Questions: the parameterised views that analysts ask, as the comments of the views describe them.

The comment of a view is the one place that declares a question. It ends with two lines of a fixed form:

    Parameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, steps Array(String)
    Example: SELECT * FROM funnel(tenant = 'default', …)

Before them stands the meaning. A parameter is a name, a type and, after ` = `, a default as a person types it: `30d`
before now, `''` for the empty text, `[]` for the empty array. A parameter without a default must be given.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

from clickhouse_driver import errors

from schemas.errors import SettingsError, SinkError
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect, reason, translated
from sinks.clickhouse.migrate import MIGRATIONS, read_migrations
from sinks.clickhouse.read.query import LONGEST, read_only

#: Types that a parameter may have.
TYPES: Final = ("String", "DateTime64", "UInt64", "Float64", "UUID", "Array(String)")
PARAMETERS: Final = "Parameters: "
EXAMPLE: Final = "Example: "

#: Error code of the function throwIf: a view checks its parameters with it, and its message is a sentence for people.
_THROWN: Final = 395
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_VIEW: Final = re.compile(
    r"CREATE OR REPLACE VIEW (\w+) AS\b.*\bCOMMENT\s+'((?:[^'\\]|''|\\.)*)'\s*\Z", re.DOTALL
)
_SOURCE: Final = re.compile(r"\b(?:FROM|JOIN) ([a-z_]+)\b")
_PARAMETER: Final = re.compile(r"(?P<name>[a-z_]+) (?P<type>[A-Za-z0-9()]+)(?: = (?P<default>.*))?")
_ESCAPES: Final = {"\\n": "\n", "\\'": "'", "''": "'", "\\\\": "\\"}


@dataclass(frozen=True)
class Parameter:
    """A parameter of a view. `default` is as a person types it; None: it must be given."""

    name: str
    type: str
    default: str | None = None


@dataclass(frozen=True)
class Question:
    """A parameterised view, or a plain one if it has no parameters."""

    name: str
    meaning: str
    parameters: tuple[Parameter, ...]
    example: str


def question_of(name: str, comment: str) -> Question | None:
    """The question that a view's comment describes; None if it describes none.

    Raises SettingsError if a parameter is malformed, or if there is no meaning or no example.
    """
    lines = comment.split("\n")
    heads = [line for line in lines if line.startswith((PARAMETERS, EXAMPLE))]
    if not any(line.startswith(PARAMETERS) for line in heads):
        return None
    meaning = "\n".join(line for line in lines if line not in heads).strip()
    if [line.split(":")[0] for line in heads] != ["Parameters", "Example"] or not meaning:
        raise SettingsError(
            f"the comment of view {name} needs a meaning, then {PARAMETERS.strip()}, then {EXAMPLE.strip()}"
        )
    declared = heads[0].removeprefix(PARAMETERS)
    parameters = () if declared == "none" else tuple(_parameter(name, text) for text in declared.split(", "))
    return Question(name, meaning, parameters, heads[1].removeprefix(EXAMPLE))


@cache
def reads() -> dict[str, tuple[str, ...]]:
    """The views and tables that each question reads, by its view's name, sorted."""
    found: dict[str, tuple[str, ...]] = {}
    for migration in read_migrations(MIGRATIONS):
        for statement in migration.statements:
            view = _VIEW.match(statement)
            if view and view[1] in questions():
                found[view[1]] = tuple(sorted(set(_SOURCE.findall(statement[: view.start(2)]))))
    return found


@cache
def questions() -> dict[str, Question]:
    """Every question by its view's name, from the files of `migrations/`: the last definition of a view counts.

    Raises SettingsError if a comment is malformed.
    """
    found: dict[str, Question] = {}
    for migration in read_migrations(MIGRATIONS):
        for statement in migration.statements:
            view = _VIEW.match(statement)
            question = view and question_of(view[1], unquoted(view[2]))
            if question:
                found[question.name] = question
    return found


def unquoted(literal: str) -> str:
    """The text of an SQL literal between its quotes."""
    return re.sub(r"''|\\.", lambda found: _ESCAPES.get(found[0], found[0][1:]), literal)


def ask(
    where: ClickHouse, question: Question, values: Mapping[str, Any]
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Read a question's view. `values` gives each parameter: text, numbers, lists of text; times are UTC ms.

    Returns the names of the columns and the rows. Raises SinkError if the server refuses, with the view's own sentence
    if a value is wrong; UnavailableError or SettingsError if it does not answer.
    """
    client = connect(where)
    sql, given = statement(question, values)
    try:
        with translated(where):
            try:
                rows, columns = client.execute(sql, given, with_column_types=True, settings=read_only(where))
            except errors.ServerException as error:
                said = reason(error)
                if error.code == _THROWN:
                    raise SinkError(said.split(": while executing")[0]) from error
                raise SinkError(said if len(said) <= LONGEST else f"{said[:LONGEST].rstrip()} …") from error
    finally:
        client.disconnect()
    return [name for name, _ in columns], rows


def statement(question: Question, values: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The SELECT that reads a question, and the values that the driver quotes and puts into it."""
    if not question.parameters:
        return f"SELECT * FROM {question.name}", {}  # noqa: S608 (a view of ours)
    arguments = ", ".join(f"{item.name} = %({item.name})s" for item in question.parameters)
    given = {
        item.name: time_text(values[item.name]) if item.type == "DateTime64" else values[item.name]
        for item in question.parameters
    }
    return f"SELECT * FROM {question.name}({arguments})", given  # noqa: S608 (a view of ours)


def time_text(at: int) -> str:
    """UTC ms as ClickHouse reads a DateTime64: 2026-01-31 12:00:00.250."""
    return (_EPOCH + timedelta(milliseconds=at)).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


def _parameter(view: str, text: str) -> Parameter:
    found = _PARAMETER.fullmatch(text)
    if found is None or found["type"] not in TYPES:
        raise SettingsError(
            f"parameter {text!r} of view {view} must be NAME TYPE or NAME TYPE = DEFAULT, of {', '.join(TYPES)}"
        )
    default = found["default"]
    return Parameter(found["name"], found["type"], "" if default in ("''", "[]") else default)
