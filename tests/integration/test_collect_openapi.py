"""The OpenAPI document that the collector serves is what it does: schemathesis draws requests from it."""

import subprocess
from pathlib import Path

import pytest

from tests.integration.collecting import CLIENTS, collector, python_clients
from tests.integration.parts import deployment

pytestmark = [pytest.mark.sandbox, pytest.mark.clients]


def test_schemathesis_finds_nothing_that_the_document_does_not_say(tansu, clickhouse, tmp_path: Path) -> None:
    with (
        deployment(tansu, clickhouse, workers=0, loader=False, log_dir=tmp_path) as live,
        collector(live, tmp_path, "drawn") as running,
    ):
        result = subprocess.run(
            [
                str(python_clients() / "bin" / "schemathesis"), "--config-file", str(CLIENTS / "schemathesis.toml"),
                "run", f"{running.url}/openapi.json",
                "--header", "Authorization: Bearer key-drawn", "--max-examples", "60", "--seed", "1", "--no-color",
            ],
            capture_output=True, text=True, timeout=900, cwd=tmp_path,
        )  # fmt: skip
        log = running.process.log_tail(50)

    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert "bug" not in log
