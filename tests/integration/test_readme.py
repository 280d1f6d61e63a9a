"""Every command that the README documents works as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.main import COMMANDS, build
from schemas.settings import Settings
from tests.integration.parts import deployment

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```\w*\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
LINES = [line.split("  #")[0].strip() for block in BLOCKS for line in block.splitlines()]
COMMAND_LINES = [line for line in LINES if line.startswith("touchline ")]
#: These run until they are stopped: test_up, test_collect, test_follow, test_page, test_subscribers, test_webhooks,
#: test_tail, test_grow and every deployment of these tests run them.
ENDLESS = (
    "touchline up",
    "touchline worker",
    "touchline load",
    "touchline collect",
    "touchline follow",
    "touchline page",
    "touchline webhooks run",
    "touchline serve",
    "touchline grow",
    "touchline tail states --where",
)
SHOP = """user_id,session_id,event,timestamp,platform,acquisition_channel,user_cohort,user_lifecycle
u1,s1,product_view,2024-03-13 10:21:14,desktop,email,2024-01,new
u1,s1,add_to_cart,2024-03-13 10:22:14,desktop,email,2024-01,new
"""


def test_every_command_of_the_readme_runs(tansu, clickhouse, tmp_path) -> None:
    (tmp_path / "shop.csv").write_text(SHOP)
    (tmp_path / "weekly.sql").write_text("SELECT count() FROM journeys WHERE last_seen >= {since:Date}")
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    shutil.copy(ROOT / "streams/identity/policy/identity.toml", tmp_path / "stricter.toml")
    shutil.copy(ROOT / "streams/journeys/rules/journey.toml", tmp_path / "journey.toml")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "touchline").write_text(f'#!/bin/sh\nexec {sys.executable} -m deploy.cli "$@"\n')
    (tmp_path / "bin" / "touchline").chmod(0o755)
    with deployment(tansu, clickhouse, log_dir=tmp_path / "logs") as live:
        env = live.env() | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        for line in COMMAND_LINES:
            if not line.startswith(ENDLESS):
                result = subprocess.run(
                    ["bash", "-c", line], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120
                )
                assert result.returncode == 0, f"{line}\n{result.stdout}{result.stderr}"
                if line.startswith("touchline publish"):
                    live.wait_idle()

        assert live.query("SELECT count() FROM journeys")[0][0] > 100


def test_every_command_is_documented_and_exists() -> None:
    documented = {line.split()[1] for line in COMMAND_LINES}

    assert documented <= set(COMMANDS)
    assert set(COMMANDS) - documented <= {"demo", "schemas"}, "mentioned in the text instead"


def test_the_table_of_settings_is_the_settings() -> None:
    documented = set(re.findall(r"^\| `(TOUCHLINE_\w+)`", README, re.MULTILINE))

    assert documented == {field.metadata["variable"] for field in fields(Settings)}


def test_every_make_target_that_is_documented_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"`?make ([a-z]+)", README)) <= targets
    assert {"help", "demo", "up", "test", "lint", "types", "check", "bench", "clean"} <= targets


def test_every_command_helps_with_an_example() -> None:
    touchline = build()
    for name in COMMANDS:
        result = CliRunner().invoke(touchline, [name, "--help"])

        assert result.exit_code == 0, result.output
        assert "Example" in result.output or "Commands" in result.output, name
