import re
from pathlib import Path

import pytest

from schemas.errors import SettingsError
from sinks.clickhouse.migrate import MIGRATIONS, in_database, read_migrations, views_of

#: How a statement must begin that may run again after a migration was cut off.
REPEATABLE = (
    "CREATE TABLE IF NOT EXISTS", "CREATE OR REPLACE TABLE", "CREATE OR REPLACE VIEW", "CREATE OR REPLACE DICTIONARY",
    "DROP VIEW IF EXISTS", "ALTER TABLE raw_identity_assignments ADD INDEX IF NOT EXISTS",
    "ALTER TABLE catalogue_types ADD COLUMN IF NOT EXISTS",
    "ALTER TABLE erasure_receipts\n    ADD COLUMN IF NOT EXISTS", "ALTER TABLE erasure_receipts COMMENT COLUMN",
    # into tables that keep one row of a key
    "INSERT INTO raw_touchpoints (", "INSERT INTO raw_touchpoint_verdicts (", "INSERT INTO raw_reconciliations (",
)  # fmt: skip
#: A comment on columns is replaced by the same comment.
COMMENTS = re.compile(r"ALTER TABLE \w+\n    COMMENT COLUMN ")


def test_statements_end_with_a_semicolon_at_the_end_of_a_line_and_comments_are_left_out(
    tmp_path: Path,
) -> None:
    (tmp_path / "0001_a.sql").write_text("-- why; not;\nCREATE a\n(x ';');\n\nCREATE b COMMENT 'x; y';\n")

    (migration,) = read_migrations(tmp_path)

    assert migration.statements == ("CREATE a\n(x ';')", "CREATE b COMMENT 'x; y'")


@pytest.mark.parametrize("name", ["1_a.sql", "0000_a.sql", "0001_A.sql", "0001-a.sql"])
def test_a_file_out_of_number_or_form_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("SELECT 1;")

    with pytest.raises(SettingsError, match=r"must be named 0001_what_it_does\.sql"):
        read_migrations(tmp_path)


def test_two_files_of_one_number_are_refused_and_a_gap_is_not(tmp_path: Path) -> None:
    for name in ("0001_a.sql", "0004_b.sql"):
        (tmp_path / name).write_text("SELECT 1;")
    assert [migration.name for migration in read_migrations(tmp_path)] == ["0001_a.sql", "0004_b.sql"]

    (tmp_path / "0004_c.sql").write_text("SELECT 1;")
    with pytest.raises(SettingsError, match=r"0004_c.sql must be named 0005_what_it_does\.sql"):
        read_migrations(tmp_path)


def test_the_migrations_of_the_project_may_be_repeated() -> None:
    for migration in read_migrations(MIGRATIONS):
        for statement in migration.statements:
            assert statement.startswith(REPEATABLE) or COMMENTS.match(statement), statement


def test_a_view_that_another_one_asks_with_parameters_is_named_with_its_database() -> None:
    views = views_of(read_migrations(MIGRATIONS))
    assert {"issues", "orders", "touchpoints_current"} <= views
    written = "CREATE OR REPLACE VIEW v AS SELECT count() FROM {}issues(\n  a = 1\n) JOIN {}orders(a = 1), numbers(3)"
    comment = "\nCOMMENT 'Example: SELECT * FROM issues(a = 1)'"
    named = in_database(written.format("", "") + comment, "live", views)
    assert named == written.format("live.", "live.") + comment
    plain = "CREATE OR REPLACE VIEW v AS SELECT * FROM issues JOIN (SELECT 1) FROM numbers(3)"
    assert in_database(plain, "live", views) == plain


def test_no_migration_asks_a_view_in_a_form_that_would_miss_its_database() -> None:
    views = views_of(read_migrations(MIGRATIONS))
    for migration in read_migrations(MIGRATIONS):
        for statement in migration.statements:
            code = in_database(statement, "live", views).partition("\nCOMMENT '")[0]
            for name in views:
                assert not re.search(rf"(?<![\w.]){name}\s*\(\s*\w+ = ", code), (migration.name, name)
