"""`touchline webhooks test`: the sample is one that the endpoint may get."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.cli.webhooks import command
from schemas.errors import SettingsError
from sinks.webhooks.endpoints import Endpoint
from sinks.webhooks.verdicts import Verdict

ENDPOINTS = """
[endpoints.campaigns]
url = "https://x.example/"
signals = ["*"]
unsigned = true

[endpoints.desk]
url = "https://x.example/"
changes = ["stage"]
unsigned = true
"""


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The bodies that were sent."""
    bodies: list[dict[str, Any]] = []

    async def send(_endpoint: Endpoint, _id: str, body: bytes) -> Verdict:
        bodies.append(json.loads(body))
        return Verdict(None, 200)

    (tmp_path / "webhooks.toml").write_text(ENDPOINTS)
    monkeypatch.setenv("TOUCHLINE_WEBHOOKS", str(tmp_path / "webhooks.toml"))
    monkeypatch.setattr("deploy.cli.webhooks.attempt", send)
    return bodies


def test_an_endpoint_gets_a_sample_of_what_it_is_told(told: list[dict[str, Any]]) -> None:
    for arguments in (["campaigns"], ["campaigns", "--retracted"], ["desk"]):
        result = CliRunner().invoke(command, ["test", *arguments], catch_exceptions=False)
        assert result.exit_code == 0
    assert [body["type"] for body in told] == ["signal.raised", "signal.retracted", "state.changed"]


def test_a_retraction_for_an_endpoint_without_signals_is_refused(told: list[dict[str, Any]]) -> None:
    with pytest.raises(SettingsError, match="endpoint desk is told no signals, so no retractions either"):
        CliRunner().invoke(command, ["test", "desk", "--retracted"], catch_exceptions=False)
    assert told == []
