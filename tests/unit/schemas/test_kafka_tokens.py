"""Bearer tokens come from a file, a command or a token endpoint, and are kept until they are old."""

import base64
import json
import sys
import time
from pathlib import Path

import pytest

from schemas.errors import UnavailableError
from schemas.kafka_tokens import TokenSource, expiry


def jwt(expires: float) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expires}).encode()).decode().rstrip("=")
    return f"head.{claims}.signature"


def counting(folder: Path, token: str) -> str:
    """A command that prints a token and notes that it ran."""
    script = folder / "token.py"
    script.write_text(f"open({str(folder / 'runs')!r}, 'a').write('x'); print({token!r})")
    return f"!{sys.executable} {script}"


def test_a_file_is_read_anew_for_each_connection(tmp_path: Path) -> None:
    file = tmp_path / "token"
    source = TokenSource(f"@{file}", "", "", "")
    for token in ("first", "second"):
        file.write_text(token + "\n")
        assert source.token() == token


@pytest.mark.parametrize(("lifetime", "runs"), [(3600, 1), (-1, 2)])
def test_a_commands_token_is_kept_until_most_of_its_life_is_over(
    tmp_path: Path, lifetime: int, runs: int
) -> None:
    token = jwt(time.time() + lifetime)
    source = TokenSource(counting(tmp_path, token), "", "", "")
    assert [source.token(), source.token()] == [token, token]
    assert len((tmp_path / "runs").read_text()) == runs


def test_a_token_that_does_not_say_when_it_expires_is_not_kept(tmp_path: Path) -> None:
    source = TokenSource(counting(tmp_path, "opaque"), "", "", "")
    source.token()
    source.token()
    assert len((tmp_path / "runs").read_text()) == 2


@pytest.mark.parametrize("token", ["", "one.part", "a.b.c", "a.!!.c", "a.bnVsbA.c", jwt(0).replace(".", "")])
def test_what_is_no_jwt_expires_at_no_known_time(token: str) -> None:
    assert expiry(token) == 0


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("!/no/such/command --secret hunter2", "cannot be run"),
        ("!'unbalanced", "cannot be run"),
        ("!", "cannot be run"),
        ("!sh -c 'echo no login >&2; exit 3'", "ended with 3: no login"),
        ("!true", "gives no bearer token"),
        ("!printf 'a\\001b'", "gives no bearer token"),
        ("!printf 'two words'", "gives no bearer token"),
    ],
)
def test_a_command_that_gives_no_token_is_one_sentence_without_its_secrets(command: str, why: str) -> None:
    with pytest.raises(UnavailableError, match=why) as failed:
        TokenSource(command, "", "", "").token()
    assert "hunter2" not in str(failed.value)
