"""What a user reads when a statement is wrong: one short sentence that says where."""

import pytest

from sinks.clickhouse.read.query import LONGEST, explained

EXPECTED = "Expected one of: " + ", ".join(f"token number {number}" for number in range(200))


@pytest.mark.parametrize(
    ("sql", "said", "explanation"),
    [
        (
            "SELECT * FRM journeys",
            "Syntax error: failed at position 14 (journeys): journeys. Expected alias cannot be here (code 62)",
            "syntax error in line 1, column 14, near `journeys`: expected alias cannot be here",
        ),
        (
            "SELECT 1,\n (2 FROM x",
            "Syntax error: failed at position 12 (() (line 2, col 2): (2 FROM x. Unmatched parentheses: ( (code 62)",
            "syntax error in line 2, column 2, near `(2 FROM x`",
        ),
        (
            "SELECT 1 FROM",
            f"Syntax error: failed at position 14 (end of query): . {EXPECTED} (code 62)",
            "syntax error in line 1, column 14, at the end",
        ),
        (
            "SELECT 'é', ☃ FROM a_table_whose_name_is_very_long_indeed",
            "Unrecognized token: Syntax error: failed at position 14 (☃): ☃ FROM. (code 62)",
            "syntax error in line 1, column 13, near `☃ FROM a_table_whose_name_is_v …`",
        ),
        (
            "SELECT 1; SELECT 2",
            "Syntax error (Multi-statements): failed at position 9 (end of query): ; SELECT 2. (code 62)",
            "syntax error in line 1, column 9, near `; SELECT 2`",
        ),
        ("SELECT nix", "Unknown identifier nix (code 47)", "Unknown identifier nix (code 47)"),
    ],
)
def test_an_error_is_short_and_says_the_place(sql: str, said: str, explanation: str) -> None:
    assert explained(sql, said) == explanation


def test_no_sentence_of_the_server_floods_the_terminal() -> None:
    assert len(explained("SELECT 1", "x " * 5_000)) <= LONGEST + 2
