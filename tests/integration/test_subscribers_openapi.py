"""The OpenAPI document that the service of subscribers serves is what it does: schemathesis draws requests from it."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.http.hashed_keys import hash_of
from sinks.subscribers.keys import Scope
from tests.integration.collecting import CLIENTS, python_clients
from tests.integration.parts import deployment
from tests.integration.serving import ServeProcess
from tests.integration.test_pipeline import send, simulated

pytestmark = [pytest.mark.sandbox, pytest.mark.clients]


def test_schemathesis_finds_nothing_that_the_document_does_not_say(tansu, clickhouse, tmp_path: Path) -> None:
    scopes = ", ".join(f'"{scope}"' for scope in Scope)
    keys = tmp_path / "keys.toml"
    keys.write_text(f'[keys.drawn]\nsha256 = "{hash_of("key-drawn")}"\nscopes = [{scopes}]\n')
    with deployment(tansu, clickhouse, log_dir=tmp_path) as live:
        send(simulated(people=5, events=50, seed=1), live)
        live.wait_idle()
        live.settings = replace(live.settings, subscriber_keys=str(keys))
        service = ServeProcess(live, tmp_path)
        service.start()
        try:
            result = subprocess.run(
                [
                    str(python_clients() / "bin" / "schemathesis"),
                    "--config-file", str(CLIENTS / "schemathesis.toml"), "run", f"{service.url}/openapi.json",
                    "--header", "Authorization: Bearer key-drawn", "--max-examples", "40", "--seed", "1",
                    "--phases", "examples,coverage,fuzzing",
                    "--exclude-path-regex", "^/v1/streams/", "--no-color",  # these answer until one goes
                ],
                capture_output=True, text=True, timeout=900, cwd=tmp_path,
            )  # fmt: skip
            log = service.process.log_tail(50)
        finally:
            service.process.stop()

    assert result.returncode == 0, result.stdout[-6000:] + result.stderr[-2000:]
    assert "bug" not in log
