"""`touchline replay`: what it does with faulty values and without a key, as a person sees it."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from deploy.cli.replay import command

KEY = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOUCHLINE_PSEUDONYM_KEY", KEY)
    monkeypatch.delenv("TOUCHLINE_IDENTITY_POLICY", raising=False)


def event(number: int, identifiers: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "event_id": f"e{number}", "occurred_at": f"2026-03-01T10:{number:02}:00Z", "source": "s", "channel": "web",
        "type": "page_view", "identifiers": identifiers, **fields,
    }  # fmt: skip


def replay(*events: dict[str, Any], options: tuple[str, ...] = ()) -> tuple[Result, list[dict[str, Any]]]:
    Path("events.jsonl").write_text("\n".join(map(json.dumps, events)))
    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, ["events.jsonl", "--out", "result", "--json", *options])
    assert done.exit_code == 0, done.output
    return done, [json.loads(line) for line in Path("result/states.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("blank", [None, "", "  ", [], "\u200b"])
def test_a_blank_identifier_costs_neither_a_touchpoint_nor_an_order_nor_an_erasure(blank: Any) -> None:
    visit = event(1, {"cookie": "a", "email": blank})
    order = event(2, {"customer_id": "7", "email": blank}, type="order_placed")
    _, states = replay(visit, order)
    assert sorted(state["orders"] for state in states) == [0, 1]
    _, states = replay(visit, order, event(3, {"customer_id": "7", "email": blank}, type="erasure_requested"))
    assert [state["orders"] for state in states] == [0]


def test_an_erasure_request_that_is_written_otherwise_erases_what_it_would_match() -> None:
    visits = [event(1, {"email": "Ann@Shop.de", "cookie": "a"}), event(2, {"email": "ben@shop.de"})]
    for written in (" ann@shop.de", "mailto:ANN@shop.de", "\u200bann@sh\u00adop.de", "<ann@shop.de>"):
        request = event(3, {"email": written, "cookie": ""}, type="erasure_requested")
        _, states = replay(*visits, request)
        assert len(states) == 1, written


def test_placeholders_join_neither_visits_nor_strangers_and_open_no_case() -> None:
    _, states = replay(
        event(1, {"cookie": "a"}, session_id="undefined"),
        event(2, {"cookie": "a"}, session_id="undefined", occurred_at="2026-03-01T20:00:00Z"),
        event(3, {"cookie": "b"}, account_id='"undefined"'),
        event(4, {"cookie": "c"}, account_id="{{account}}"),
        event(5, {"cookie": "d"}, issue_id="null", campaign="(not set)"),
    )
    assert sorted(state["sessions"] for state in states) == [1, 1, 1, 2]
    assert Path("result/accounts.jsonl").read_text() == ""
    assert all(not state["open_issues"] and state["account_id"] is None for state in states)


def test_a_run_without_a_key_makes_one_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [event(1, {"email": "ann@shop.de"}), event(2, {"email": "ANN@shop.de"})]
    monkeypatch.delenv("TOUCHLINE_PSEUDONYM_KEY")
    done, states = replay(*events)
    assert "no TOUCHLINE_PSEUDONYM_KEY is set, so this run made a key of its own" in done.stderr
    assert [state["touchpoints"] for state in states] == [2]
    assert replay(*events)[1][0]["profile_id"] != states[0]["profile_id"]


def test_a_run_whose_policy_hides_nothing_makes_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOUCHLINE_PSEUDONYM_KEY")
    Path("open.toml").write_text("[types.email]\npseudonymise = false\n[types.phone]\npseudonymise = false\n")
    done, _ = replay(event(1, {"email": "ann@shop.de"}), options=("--identity", "open.toml"))
    assert "TOUCHLINE_PSEUDONYM_KEY" not in done.stderr
