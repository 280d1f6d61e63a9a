"""A question is declared once, in the comment of its view: meaning, parameters with defaults, example."""

import pytest

from schemas.errors import SettingsError
from sinks.clickhouse.read.questions import (
    Parameter,
    Question,
    question_of,
    questions,
    statement,
    time_text,
    unquoted,
)

COMMENT = """What it means.
In two lines.
Parameters: tenant String = default, steps Array(String), by String = ''
Example: SELECT 1"""


def test_a_comment_declares_meaning_parameters_and_example() -> None:
    assert question_of("funnel", COMMENT) == Question(
        "funnel",
        "What it means.\nIn two lines.",
        (
            Parameter("tenant", "String", "default"),
            Parameter("steps", "Array(String)"),
            Parameter("by", "String", ""),
        ),
        "SELECT 1",
    )


def test_a_view_without_parameters_says_none_and_another_comment_is_no_question() -> None:
    found = question_of("now", "Meaning.\nParameters: none\nExample: SELECT 1")
    assert found is not None
    assert statement(found, {}) == ("SELECT * FROM now", {})
    assert question_of("accounts", "The present state of every business account") is None


@pytest.mark.parametrize(
    "comment",
    [
        "Parameters: none\nExample: SELECT 1",
        "Meaning.\nParameters: none",
        "Meaning.\nExample: SELECT 1\nParameters: none",
        "Meaning.\nParameters: since Date\nExample: SELECT 1",
        "Meaning.\nParameters: since\nExample: SELECT 1",
        "Meaning.\nParameters: \nExample: SELECT 1",
    ],
)
def test_a_malformed_comment_is_refused_with_the_name_of_its_view(comment: str) -> None:
    with pytest.raises(SettingsError, match="view broken"):
        question_of("broken", comment)


def test_values_are_bound_by_name_and_times_keep_their_milliseconds_also_before_1970() -> None:
    question = Question(
        "q", "m", (Parameter("since", "DateTime64"), Parameter("steps", "Array(String)")), "e"
    )
    sql, given = statement(question, {"since": -1, "steps": ["a", "b"]})
    assert sql == "SELECT * FROM q(since = %(since)s, steps = %(steps)s)"
    assert given == {"since": "1969-12-31 23:59:59.999", "steps": ["a", "b"]}
    assert time_text(1_769_860_800_250) == "2026-01-31 12:00:00.250"


def test_the_literal_of_a_comment_is_read_as_clickhouse_reads_it() -> None:
    assert unquoted(r"it''s\na \'line\' of \\ its own") == "it's\na 'line' of \\ its own"


def test_every_question_of_the_migrations_asks_for_the_standard_parameters_first() -> None:
    standard = ("tenant", "since", "until")
    for question in questions().values():
        names = [item.name for item in question.parameters]
        known = [name for name in standard if name in names]
        assert names[: len(known)] == known, question.name
        assert question.example.startswith("SELECT ")
        assert question.name in question.example
