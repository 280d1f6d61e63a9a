"""What `touchline up` decides before it starts anything."""

import shlex
from pathlib import Path

import pytest

from deploy.sandbox.stack import KAFKA, Plan, Stack, pseudonym_key, write_secret
from schemas.errors import SettingsError
from schemas.settings import Settings


def stack(tmp_path: Path, environ: dict[str, str] | None = None, **fields: object) -> Stack:
    environ = environ or {}
    return Stack(Plan(tmp_path, **fields), Settings.from_env(environ), environ)  # type: ignore[arg-type]


def test_keeping_data_needs_a_broker_that_keeps_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="use --broker kafka with --data"):
        Plan(tmp_path, keep=True)
    Plan(tmp_path, broker=KAFKA, keep=True)


def test_the_sandbox_points_its_processes_at_its_own_parts(tmp_path: Path) -> None:
    made = stack(tmp_path, kafka_port=19092, clickhouse_port=19000, clickhouse_http_port=18123)
    assert made.settings.brokers == "127.0.0.1:19092"
    assert made.settings.clickhouse_url == "clickhouse://127.0.0.1:19000/touchline?http_port=18123"
    assert made.settings.session_timeout == 6.0


def test_what_the_user_has_is_used_as_it_is(tmp_path: Path) -> None:
    url = "clickhouse://ann:secret@db:9000/live"
    made = stack(tmp_path, broker="kafka1:9092", clickhouse=url)
    assert (made.settings.brokers, made.settings.clickhouse_url) == ("kafka1:9092", url)
    assert made.settings.session_timeout == Settings().session_timeout
    assert (made.broker, made.clickhouse) == (None, None)


def test_a_session_timeout_of_the_user_wins(tmp_path: Path) -> None:
    assert stack(tmp_path, {"TOUCHLINE_SESSION_TIMEOUT": "9"}).settings.session_timeout == 9.0


def test_a_key_is_made_once_readable_by_its_owner_only_and_never_replaces_the_users(tmp_path: Path) -> None:
    first, second = stack(tmp_path), stack(tmp_path)
    assert len(first.settings.pseudonym_secret()) == 64
    assert first.settings.pseudonym_secret() == second.settings.pseudonym_secret()
    assert (tmp_path / "pseudonym.key").stat().st_mode & 0o777 == 0o600
    own = "k" * 32
    assert stack(tmp_path, {"TOUCHLINE_PSEUDONYM_KEY": own}).settings.pseudonym_key == own


def test_the_sandbox_has_an_analyst_with_a_password_of_its_own_unless_the_user_names_one(
    tmp_path: Path,
) -> None:
    made = stack(tmp_path)
    reader = made.settings.readers_clickhouse()
    assert (reader.user, len(reader.password), reader.limited) == ("analyst", 64, True)
    assert (tmp_path / "analyst.password").stat().st_mode & 0o777 == 0o600
    assert made.clickhouse is not None
    assert "<analyst><password_sha256_hex>" in made.clickhouse.users
    assert reader.password not in made.clickhouse.users

    own = {"TOUCHLINE_ANALYST_USER": "ann", "TOUCHLINE_ANALYST_PASSWORD": "secret"}
    assert stack(tmp_path, own).settings.readers_clickhouse().user == "ann"
    assert stack(tmp_path, clickhouse="clickhouse://db:9000/live").settings.analyst_user == ""
    with pytest.raises(SettingsError, match="TOUCHLINE_ANALYST_TENANTS is set, but the sandbox"):
        stack(tmp_path, own | {"TOUCHLINE_ANALYST_TENANTS": "shop"})


def test_two_run_directories_have_different_keys(tmp_path: Path) -> None:
    keys = {Path(pseudonym_key(tmp_path / name).removeprefix("@")).read_text() for name in "ab"}
    assert len(keys) == 2


def test_a_secret_file_takes_its_rights_anew(tmp_path: Path) -> None:
    path = tmp_path / "env"
    path.write_text("old")
    path.chmod(0o644)
    write_secret(path, "new")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)


def test_the_env_file_survives_the_shell(tmp_path: Path) -> None:
    policy = "it's $HOME `x`.toml"
    made = stack(tmp_path, {"TOUCHLINE_IDENTITY_POLICY": policy})
    made.write_env()
    words = shlex.split(made.env_file.read_text())
    assert f"TOUCHLINE_IDENTITY_POLICY={policy}" in words
