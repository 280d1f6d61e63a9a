"""`touchline keys rotate` makes a key and prints settings that every process can start with."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.keys import next_id
from deploy.cli.main import build
from schemas.errors import SettingsError
from schemas.settings import Settings
from streams.identity.policy.load import configured

KEY = "0123456789abcdef" * 4


def rotate(out: Path, **env: str) -> dict[str, str]:
    """The settings that it prints."""
    result = CliRunner().invoke(
        build("keys"), ["keys", "rotate", "--out", str(out)], env=env, catch_exceptions=False
    )
    assert result.exit_code == 0
    return dict(line.split("=", 1) for line in result.stdout.splitlines() if line.startswith("TOUCHLINE_"))


def test_what_it_prints_are_the_settings_of_a_rotation(tmp_path: Path) -> None:
    (tmp_path / "old").write_text(KEY)
    printed = rotate(tmp_path / "new", TOUCHLINE_PSEUDONYM_KEY=f"@{tmp_path / 'old'}")

    settings = Settings.from_env(printed)
    assert (settings.pseudonym_key_id, settings.previous_pseudonym()) == ("k2", (KEY.encode(), "k1"))
    assert [key_id for key_id, _ in configured(settings).key_checks()] == ["k2", "k1"]
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_no_file_is_not_shown(tmp_path: Path) -> None:
    printed = rotate(tmp_path / "new", TOUCHLINE_PSEUDONYM_KEY=KEY)
    assert KEY not in str(printed)


@pytest.mark.parametrize(
    ("env", "why"),
    [
        ({}, "TOUCHLINE_PSEUDONYM_KEY is not set"),
        (
            {
                "TOUCHLINE_PSEUDONYM_KEY": KEY, "TOUCHLINE_PSEUDONYM_KEY_ID": "k2",
                "TOUCHLINE_PREVIOUS_PSEUDONYM_KEY": KEY[::-1], "TOUCHLINE_PREVIOUS_PSEUDONYM_KEY_ID": "k1",
            },
            "a rotation is under way",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_rotated_is_refused_and_no_key_is_made(
    tmp_path: Path, env: dict[str, str], why: str
) -> None:
    with pytest.raises(SettingsError, match=why):
        rotate(tmp_path / "new", **env)
    assert not (tmp_path / "new").exists()


def test_a_file_that_exists_is_never_written(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("the only copy of a key")
    with pytest.raises(SettingsError, match="name another file"):
        rotate(tmp_path / "new", TOUCHLINE_PSEUDONYM_KEY=KEY)
    assert (tmp_path / "new").read_text() == "the only copy of a key"


def test_a_policy_that_cannot_be_rotated_leaves_no_key_behind(tmp_path: Path) -> None:
    (tmp_path / "identity.toml").write_text("[types.email]\nunique = true\n")
    with pytest.raises(SettingsError, match="unique and pseudonymised"):
        rotate(
            tmp_path / "new",
            TOUCHLINE_PSEUDONYM_KEY=KEY, TOUCHLINE_IDENTITY_POLICY=str(tmp_path / "identity.toml"),
        )  # fmt: skip
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("key_id", "following"),
    [("k1", "k2"), ("k9", "k9.2"), ("2026", "2027"), ("main", "main.2"), ("a-099", "a-100")],
)
def test_the_next_name_sorts_behind_this_one(key_id: str, following: str) -> None:
    assert next_id(key_id) == following
    assert next_id(key_id) > key_id
