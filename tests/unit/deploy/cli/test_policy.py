"""`touchline policy` and `touchline explain --file`, as a person uses them."""

import json
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

from deploy.cli import output
from deploy.cli.policy import command
from schemas.errors import SettingsError

KEY = "0123456789abcdef0123456789abcdef"
LOOSE = (
    "[types.customer_id]\nunique = false\n[types.user_id]\nunique = false\n[phone]\ndefault_region = 'DE'\n"
)


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOUCHLINE_PSEUDONYM_KEY", KEY)
    monkeypatch.delenv("TOUCHLINE_IDENTITY_POLICY", raising=False)
    Path("loose.toml").write_text(LOOSE)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments)


def line(number: int, **identifiers: str) -> str:
    event = {
        "event_id": f"e{number}", "occurred_at": f"2026-01-01T10:{number:02}:00Z", "source": "shop",
        "channel": "web", "type": "login",
        "identifiers": [{"type": kind, "value": value} for kind, value in identifiers.items()],
    }  # fmt: skip
    return json.dumps(event) + "\n"


def tablet() -> str:
    Path("events.jsonl").write_text(
        line(1, cookie="tablet", customer_id="A")
        + line(2, cookie="tablet", customer_id="B")
        + line(3, cookie="null", customer_id="B")
    )
    return "events.jsonl"


def test_check_shows_the_configured_policy() -> None:
    done = run("check")
    assert done.exit_code == 0
    assert "customer_id" in done.output
    assert "no TOUCHLINE_PSEUDONYM_KEY" not in done.output


def test_check_gives_json_with_every_rule_and_tenant() -> None:
    Path("p.toml").write_text("[types.a]\nunique = true\n[tenants.bank.types.a]\nlimit = 3\n")
    document = json.loads(run("check", "p.toml", "--json").output)
    assert document["types"]["a"]["unique"]
    assert document["tenants"]["bank"]["types"]["a"] == {
        "priority": 50, "normaliser": "none", "pseudonymise": False, "unique": True, "limit": 3,
    }  # fmt: skip


def test_check_remarks_on_what_is_allowed_but_unwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOUCHLINE_PSEUDONYM_KEY")
    remarks = json.loads(run("check", "loose.toml", "--json").output)["remarks"]
    assert [remark.split(",")[0] for remark in remarks] == [
        "no type is unique",
        "no TOUCHLINE_PSEUDONYM_KEY is set: a worker with this policy would refuse to start (make a key with"
        " `openssl rand -hex 32`)",
    ]


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("[types.dial]\nnormaliser = 'phone'\npseudonymise = false", "dial is stored readable"),
        ("[types.dial]\nnormaliser = 'phone'", "dial without a country code stays as it is written"),
        ("[types.c]\npriority = 9", "c is stronger than customer_id, which is unique"),
        (
            "[types.user_id]\nunique = false\n[tenants.x.types.customer_id]\nunique = false",
            "tenant x: no type is unique",
        ),
        ("[types.email]\npseudonymise = false", "email is stored readable"),
        ("[types.email]\nnormaliser = 'lower'\npseudonymise = false", "email is stored readable"),
        ("[tenants.x.types.email]\npseudonymise = false", "tenant x: email is stored readable"),
    ],
)
def test_each_unwise_setting_has_its_remark(text: str, remark: str) -> None:
    Path("p.toml").write_text(text)
    assert any(
        one.startswith(remark) for one in json.loads(run("check", "p.toml", "--json").output)["remarks"]
    )


def test_check_and_try_fit_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(output, "console", Console(highlight=False))
    shown = run("check", "loose.toml").output + run("try", tablet(), "--against", "loose.toml").output
    assert "remark: no type is unique" in shown
    assert "would merge: 1" in shown
    assert {row for row in shown.splitlines() if len(row) > 60} == set()


def test_check_without_a_file_is_as_strict_as_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOUCHLINE_PSEUDONYM_KEY")
    done = run("check")
    assert isinstance(done.exception, SettingsError)
    assert "openssl rand -hex 32" in str(done.exception)


def test_a_file_with_one_type_is_shown_with_all_that_the_built_in_policy_says() -> None:
    Path("p.toml").write_text("[types.customer_id]\nlimit = 3\n")
    types = json.loads(run("check", "p.toml", "--json").output)["types"]
    assert types["email"]["pseudonymise"]
    assert types["customer_id"] == {
        "priority": 10, "normaliser": "none", "pseudonymise": False, "unique": True, "limit": 3,
    }  # fmt: skip


def test_check_names_a_file_that_is_not_there() -> None:
    done = run("check", "nowhere.toml")
    assert str(done.exception).startswith("the argument FILE names a file that cannot be read: nowhere.toml")


def test_try_tells_which_profiles_would_merge_and_why() -> None:
    done = run("try", tablet(), "--against", "loose.toml")
    assert done.exit_code == 0
    assert "would merge: 1" in done.output
    assert "(unique:customer_id)" in done.output
    assert "customer_id:B" in done.output


def test_try_gives_json() -> None:
    document = json.loads(run("try", tablet(), "--against", "loose.toml", "--json").output)
    assert (document["read"], document["rejected"]) == (3, 0)
    assert (document["merges"], document["splits"]) == (1, 0)
    assert document["before"] == {
        "touchpoints": 3, "profiles": 2, "shared_identifiers": 1,
        "refused_links": {"unique:customer_id": 1}, "blocked_identifiers": {"cookie": 1},
    }  # fmt: skip
    (merge,) = document["examples"]["merges"]
    assert [part["touchpoints"] for part in merge["parts"]] == [2, 1]


def test_try_between_two_equal_policies_finds_nothing() -> None:
    done = run("try", tablet(), "--identity", "loose.toml", "--against", "loose.toml")
    assert "no profile would merge or split" in done.output


def test_try_needs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with_key = json.loads(run("try", tablet(), "--against", "loose.toml", "--json").stdout)
    monkeypatch.delenv("TOUCHLINE_PSEUDONYM_KEY")
    done = run("try", tablet(), "--against", "loose.toml", "--json")
    assert done.exit_code == 0
    assert "so this run made a key of its own" in done.stderr
    without = json.loads(done.stdout)
    assert (without["before"], without["after"]) == (with_key["before"], with_key["after"])


def test_try_fails_softly_on_lines_that_cannot_be_read() -> None:
    Path("events.jsonl").write_text(line(1, cookie="c") + "{}\nnonsense\n")
    done = run("try", "events.jsonl", "--against", "loose.toml", "--json")
    assert json.loads(done.stdout)["rejected"] == 2
