"""`touchline explain --file`: the answer in words and as JSON, and what it says to a wrong question."""

import json
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner, Result

from deploy.cli import output
from deploy.cli.explain import command
from schemas.errors import SettingsError, UnseenError

EVENTS = [
    ("v1", "2026-01-01T08:00:00Z", {"cookie": "ck-1"}, "OBSERVED"),
    (
        "l1",
        "2026-01-01T10:00:00Z",
        {"cookie": "ck-1", "customer_id": "A", "email": "Ann@Shop.de"},
        "OBSERVED",
    ),
    ("l2", "2026-01-02T10:00:00Z", {"cookie": "ck-1", "customer_id": "B"}, "OBSERVED"),
    ("g1", "2026-01-03T10:00:00Z", {"customer_id": "B", "crm_id": "7"}, "ASSERTED"),
]


@pytest.fixture(autouse=True)
def events(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOUCHLINE_PSEUDONYM_KEY", "0123456789abcdef0123456789abcdef")
    monkeypatch.delenv("TOUCHLINE_IDENTITY_POLICY", raising=False)
    lines = [
        {
            "event_id": event_id, "occurred_at": at, "source": "shop", "channel": "web", "type": "login",
            "identifiers": [{"type": kind, "value": value} for kind, value in ids.items()], "link": link,
        }
        for event_id, at, ids, link in EVENTS
    ]  # fmt: skip
    Path("events.jsonl").write_text("\n".join(map(json.dumps, lines)))


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(command)
    return CliRunner().invoke(app, [*arguments, "--file", "events.jsonl"])


def answer(*arguments: str) -> dict:
    return json.loads(run(*arguments, "--json").stdout)


def test_the_identifiers_are_normalised_and_pseudonymised_before_they_are_looked_up() -> None:
    found = answer("email: ANN@shop.DE", "customer_id:A")
    assert found["same"]
    assert found["one"]["identifier"].startswith("email:hmac:k1:")
    assert found["one"]["asked"] == "email: ANN@shop.DE"
    assert [(step["event_id"], step["accepted"]) for step in found["steps"]] == [("l1", True)]
    assert found["since"] == "2026-01-01T10:00:00.000Z"


def test_a_chain_is_told_with_events_sources_and_times() -> None:
    lines = run("customer_id:B", "crm_id:7").output.splitlines()
    assert lines[0] == "customer_id:B and crm_id:7 are one person, known since 2026-01-03T10:00:00.000Z"
    assert "  1. customer_id:B = crm_id:7" in lines
    assert "     asserted 2026-01-03T10:00:00.000Z by event g1 from shop" in lines


def test_a_refusal_is_told_with_its_rule_and_the_values_it_kept_apart() -> None:
    told = run("cookie:ck-1", "customer_id:B").output
    assert told.startswith("cookie:ck-1 and customer_id:B are not one person\n")
    assert "unique:customer_id, a profile holds one at most" in told
    assert "customer_id:A, customer_id:B" in told
    assert "shared from 2026-01-02T10:00:00.000Z on (event l2 from shop" in told


def test_the_past_is_told_as_the_evidence_of_its_time_has_it() -> None:
    assert answer("cookie:ck-1", "customer_id:A", "--at", "2026-01-01T12:00:00Z")["same"]
    now = answer("cookie:ck-1", "customer_id:A")
    assert (now["same"], now["until"]) == (False, "2026-01-02T10:00:00.000Z")
    assert now["one"]["contested_by"]["event_id"] == "l2"


def test_a_golden_record_that_comes_after_the_sharing_is_told_without_a_contradiction() -> None:
    golden = {
        "event_id": "g2", "occurred_at": "2026-01-04T10:00:00Z", "source": "crm", "channel": "web", "type": "login",
        "identifiers": {"customer_id": ["A", "B"]}, "link": "asserted",
    }  # fmt: skip
    with Path("events.jsonl").open("a") as file:
        file.write("\n" + json.dumps(golden))

    assert run("cookie:ck-1", "customer_id:B").output.splitlines()[0] == (
        "cookie:ck-1 and customer_id:B are not one person, but what happened before 2026-01-02T10:00:00.000Z is one"
        " person's, known since 2026-01-04T10:00:00.000Z"
    )
    found = answer("cookie:ck-1", "customer_id:B")
    assert (found["same"], found["until"], found["before"]) == (False, None, "2026-01-02T10:00:00.000Z")


def test_on_a_narrow_terminal_no_line_is_wider_than_it(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = run("cookie:ck-1", "customer_id:B").output
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(output, "console", Console(highlight=False))
    lines = run("cookie:ck-1", "customer_id:B").output.splitlines()
    assert max(map(len, lines)) <= 60 < max(map(len, whole.splitlines()))
    assert " ".join(" ".join(lines).split()) == " ".join(whole.split())


def test_another_tenants_evidence_does_not_count() -> None:
    done = run("cookie:ck-1", "customer_id:A", "--tenant", "bank")
    assert isinstance(done.exception, UnseenError)
    assert "cookie:ck-1 and customer_id:A were never seen in tenant 'bank'" in str(done.exception)


@pytest.mark.parametrize("seen", ["cookie:ck-1", "customer_id:A", "email: ann@SHOP.de"])
def test_an_identifier_that_was_never_seen_is_named(seen: str) -> None:
    for arguments in ((seen, "email:who@shop.de"), ("email:who@shop.de", seen)):
        done = run(*arguments, "--json")
        assert isinstance(done.exception, UnseenError)
        assert str(done.exception).startswith("email:who@shop.de was never seen in tenant 'default'")


def test_the_answer_is_the_same_with_a_key_that_is_made_for_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    configured = answer("email:ann@shop.de", "customer_id:A")
    monkeypatch.delenv("TOUCHLINE_PSEUDONYM_KEY")
    done = run("email:ann@shop.de", "customer_id:A", "--json")
    made = json.loads(done.stdout)
    assert "no TOUCHLINE_PSEUDONYM_KEY is set, so this run made a key of its own" in done.stderr
    assert made["same"]
    assert made["since"] == configured["since"]
    assert made["one"]["identifier"] != configured["one"]["identifier"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("ck-1", "customer_id:A"), "'ck-1' is no identifier: write TYPE:VALUE"),
        (("cookie:null", "customer_id:A"), "'cookie:null' is blocked by the policy"),
        (("email:a@x.de", "email:A@x.de"), "are the same identifier: name two different ones"),
        (("cookie:a", "cookie:b", "--at", "soon"), "--at is 'soon': write an ISO time"),
    ],
)
def test_a_wrong_question_is_answered_with_the_fix(arguments: tuple[str, ...], says: str) -> None:
    done = run(*arguments)
    assert isinstance(done.exception, SettingsError)
    assert says in str(done.exception)
