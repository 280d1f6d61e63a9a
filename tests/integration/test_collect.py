"""`touchline collect` as the documentation shows it, and the slips that it names."""

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from schemas.http.hashed_keys import hash_of
from tests.integration.collecting import Collector, collector
from tests.integration.parts import TOUCHLINE, deployment

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).parents[2]


def touchline(folder: Path, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*TOUCHLINE, *arguments], capture_output=True, text=True, timeout=60, cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TOUCHLINE_PSEUDONYM_KEY": "0123456789abcdef" * 4, **env},
    )  # fmt: skip


@pytest.mark.parametrize("document", ["README.md", pytest.param("docs/collector.md", marks=pytest.mark.soak)])
def test_the_curl_of_the_documentation_brings_a_touchpoint(
    tansu, clickhouse, tmp_path: Path, document: str
) -> None:
    found = re.search(r"^curl .*?\}\}'$", (ROOT / document).read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None
    with deployment(tansu, clickhouse, log_dir=tmp_path) as live:
        running = Collector(live, tmp_path, ("unused",), "--open")
        running.start()
        try:
            curl = found[0].replace("localhost:8480", running.url) + " -sS --fail"
            result = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, timeout=30)
        finally:
            running.process.stop()
        assert result.returncode == 0, result.stderr
        assert '"accepted":1' in result.stdout
        live.wait_idle()

        assert live.query("SELECT source, type FROM touchpoints_current") == [("web-shop", "add_to_cart")]


def test_a_dead_letter_of_the_collector_shows_in_clickhouse_once_and_is_replayed_once(
    tansu, clickhouse, tmp_path: Path
) -> None:
    nobody = '{"event": "Product Viewed", "messageId": "m1", "properties": {"member": "C1"}}'
    fix = tmp_path / "fix.toml"
    fix.write_text("[rename]\n'attributes.member' = 'identifiers.customer_id'")
    with (
        deployment(tansu, clickhouse, log_dir=tmp_path) as live,
        collector(live, tmp_path, "shop") as running,
    ):
        curl = ["curl", "-sS", "--fail", f"{running.url}/v1/track", "-u", "key-shop:", "-d", nobody]
        for _ in range(2):
            result = subprocess.run(curl, capture_output=True, text=True, timeout=30)
            assert '"dead_letters":1' in result.stdout, result.stderr
        live.wait_idle()

        letters = live.query("SELECT reason, component, topic, value, headers FROM dead_letters FINAL")
        assert [row[:3] for row in letters] == [("NO_IDENTIFIER", "collector", "http-segment")]
        assert '"messageId":"m1"' in letters[0][3]
        assert ("write-key", "shop") in letters[0][4]

        for _ in range(2):
            replay = ["dead-letters", "replay", "--topic", "http-segment", "--fix", str(fix), "--json"]
            done = touchline(tmp_path, *replay, **live.settings.to_env())
            assert json.loads(done.stdout)["sent"] == 1, done.stderr
        live.wait_idle()
        assert live.query("SELECT event_id, source, type, identifier_value FROM touchpoints_current") == [
            ("m1", "shop", "product_view", "C1")
        ]


def test_a_collector_with_another_key_than_the_deployments_does_not_start(
    tansu, clickhouse, tmp_path: Path
) -> None:
    with (
        deployment(tansu, clickhouse, workers=0, loader=False, log_dir=tmp_path) as live,
        collector(live, tmp_path, "shop"),
    ):
        env = {**live.settings.to_env(), "TOUCHLINE_PSEUDONYM_KEY": "another key of this length " * 2}
        result = touchline(tmp_path, "collect", "--open", "--port", "0", **env)

    assert result.returncode == 1
    assert result.stderr.startswith("touchline: TOUCHLINE_PSEUDONYM_KEY is not the key")
    assert result.stderr.count("\n") == 1


def test_sigterm_ends_the_collector_in_order(tansu, clickhouse, tmp_path: Path) -> None:
    with (
        deployment(tansu, clickhouse, workers=0, loader=False, log_dir=tmp_path) as live,
        collector(live, tmp_path, "shop") as running,
    ):
        assert running.process.stop(timeout=10) == 0


def test_a_new_key_is_shown_once_and_its_entry_is_ready_for_the_file(tmp_path: Path) -> None:
    result = touchline(tmp_path, "collect", "--new-key", "web-shop")

    assert result.returncode == 0, result.stderr
    entry = tomllib.loads(result.stdout)["keys"]["web-shop"]
    key = result.stderr.strip().rpartition(" ")[2]
    assert key not in result.stdout
    (tmp_path / "keys.toml").write_text(result.stdout)
    assert entry == {"sha256": hash_of(key), "source": "web-shop"}


@pytest.mark.parametrize(
    ("arguments", "env", "says"),
    [
        ([], {}, "TOUCHLINE_COLLECTOR_KEYS names no file"),
        ([], {"TOUCHLINE_COLLECTOR_KEYS": "gone.toml"}, "cannot be read: gone.toml"),
        (["--open", "--host", "0.0.0.0"], {}, "must be loopback, not 0.0.0.0"),
        (["--open", "--certificate", "gone.pem"], {}, "the certificate gone.pem cannot be used"),
        (["--open"], {"TOUCHLINE_KAFKA_BROKERS": "127.0.0.1:1"}, "127.0.0.1:1"),
        (["--new-key", "a b"], {}, "use 1 to 64 of A-Z"),
    ],
)
def test_a_slip_is_named_in_one_sentence(
    tmp_path: Path, arguments: list[str], env: dict[str, str], says: str
) -> None:
    result = touchline(tmp_path, "collect", *arguments, **env)

    assert result.returncode == 1
    assert says in result.stderr
    assert "Traceback" not in result.stderr
