"""What `touchline query` says of a statement that ClickHouse refuses, where there is better advice than its message."""

import pytest

from schemas.errors import SettingsError
from sinks.clickhouse.read.hints import hint, parameter_types, parameters

SINCE = "tenant = 'default', since = '2026-01-01'"


@pytest.mark.parametrize(
    ("sql", "code", "said", "advice"),
    [
        ("SELECT * FROM issues", 51, "Empty list of columns. In scope …", "issues has parameters: SELECT "),
        ("SELECT * FROM x JOIN issues ON 1", 51, "Empty list of columns", "issues has parameters: SELECT "),
        (f"SELECT * FROM issues({SINCE})", 456, "Substitution `until` is not set", "issues also needs until: SELECT "),
        (
            "SELECT {day:Date}", 456, "Substitution `day` is not set",
            "the statement has the parameter day: give --param day=VALUE",
        ),
        (
            f"SELECT * FROM isues({SINCE})", 46, "Unknown table function isues",
            "there is no question isues: did you mean issues?",
        ),
        (
            "SELECT {n:UInt8}", 457, "Value x cannot be parsed as UInt8 for query parameter 'n'",
            "--param n is no UInt8",
        ),
        (
            "SELECT {b:Array(String)}", 130, "Array does not start with '[' for query parameter 'b'",
            "--param b is no Array(String)",
        ),
    ],
)  # fmt: skip
def test_an_error_comes_with_its_remedy(sql: str, code: int, said: str, advice: str) -> None:
    found = hint(sql, code, said, limited=False)
    assert found is not None
    assert found.startswith(advice)


@pytest.mark.parametrize(
    ("sql", "code", "said"),
    [
        ("SELECT nix FROM journeys", 47, "Unknown expression identifier `nix`"),
        ("SELECT * FROM (SELECT 1)", 51, "Empty list of columns"),
        ("SELECT * FROM issues(tenant = 'a')", 51, "Empty list of columns"),
        ("SELECT foo(1)", 46, "Function with name `foo` does not exist"),
        ("SELECT 1", 457, "something else"),
        ("SELECT * FROM other(a = 1)", 456, "Substitution `until` is not set"),
        ("SELECT 1", 456, "a message of another version"),
    ],
)
def test_without_a_remedy_the_servers_own_message_stays(sql: str, code: int, said: str) -> None:
    assert hint(sql, code, said, limited=True) is None


def test_the_analyst_is_told_how_to_ask_as_somebody_else() -> None:
    said = "analyst: Not enough privileges (code 497)"
    assert hint("SELECT 1", 497, said, limited=False) is None
    advice = hint("SELECT 1", 497, said, limited=True)
    assert advice is not None
    assert "unsetting TOUCHLINE_ANALYST_USER" in advice


def test_the_parameters_of_a_statement_are_found_however_they_are_spaced() -> None:
    sql = "SELECT {a:String}, { b : Array(UInt64) }, {c:DateTime64(3, 'UTC')} FROM x WHERE m = {'k': 1}"
    assert parameter_types(sql) == {"a": "String", "b": "Array(UInt64)", "c": "DateTime64(3, 'UTC')"}


def test_lists_are_separated_by_commas_and_keep_the_kind_of_their_items() -> None:
    sql = "SELECT {a:String}, {b:Array(String)}, {c:Array(UInt64)}, {d:Array(Float64)}, {e:Array(Nullable(String))}"
    typed = {"a": "x, y", "b": "x, y'z", "c": "1,-2", "d": "1.5", "e": ""}
    assert parameters(sql, typed) == {"a": "x, y", "b": ["x", "y'z"], "c": [1, -2], "d": [1.5], "e": []}


@pytest.mark.parametrize(
    ("sql", "typed", "sentence"),
    [
        ("SELECT {day:Date}", {"dy": "1"}, r"--param dy: the statement has \{day:Date\}"),
        ("SELECT 1", {"day": "1"}, r"no parameter; write \{day:String\} where the value belongs"),
        ("SELECT {b:Array(UInt64)}", {"b": "1,x"}, "takes numbers with commas between"),
    ],
)
def test_a_value_that_fits_nowhere_is_refused(sql: str, typed: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        parameters(sql, typed)
