"""The systemd units: their commands and settings exist, systemd takes them, and their example has every setting."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.main import COMMANDS, build
from deploy.systemd.env_example import EXAMPLE, render
from schemas.settings import Settings

UNITS = EXAMPLE.parent
FILES = [path for path in sorted(UNITS.rglob("*")) if path.suffix in (".service", ".target", ".conf")]
SERVICES = [path for path in FILES if path.suffix == ".service"]
VARIABLES = {field.metadata["variable"] for field in fields(Settings)}
#: What `systemd-analyze security` calls exposure, of 100: a plain service has 96.
MOST_EXPOSED = 20


def values(path: Path, key: str) -> Iterator[str]:
    for line in path.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and name == key:
            yield value


def test_the_example_is_made_from_the_settings() -> None:
    assert EXAMPLE.read_text() == render(), "python -m deploy.systemd.env_example"


def test_every_line_of_the_example_may_be_used_as_it_stands() -> None:
    environ = dict(
        line[1:].split("=", 1) for line in EXAMPLE.read_text().splitlines() if line.startswith("#TOUCHLINE_")
    )
    assert environ.keys() == VARIABLES
    assert Settings.from_env(environ) == Settings()


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_unit_runs_a_command_with_options_that_it_has(path: Path) -> None:
    started = list(values(path, "ExecStart"))
    assert started
    for line in started:
        program, command, *options = line.split()
        assert program == "/opt/touchline/bin/touchline"
        assert command in COMMANDS
        # with --help a command reads its options and does nothing
        assert CliRunner().invoke(build(), [command, *options, "--help"]).exit_code == 0, line


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_unit_sets_only_settings_that_exist(path: Path) -> None:
    assert {value.partition("=")[0] for value in values(path, "Environment")} <= VARIABLES


def test_services_of_one_machine_have_metrics_ports_of_their_own() -> None:
    found = [
        value
        for path in SERVICES
        for value in values(path, "Environment")
        if value.startswith("TOUCHLINE_METRICS_PORT")
    ]
    ports = [value.partition("=")[2].replace("%i", str(number)) for value in found for number in (1, 9)]
    assert len({*ports}) == len(found) + 1  # the worker has one for each instance
    assert all(re.fullmatch(r"\d{4}", port) for port in ports)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A system in which the units and the program are installed."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on PATH")
    shutil.copytree(
        UNITS,
        tmp_path / "etc/systemd/system",
        ignore=shutil.ignore_patterns("*.py", "*.example", "__pycache__"),
    )
    program = tmp_path / "opt/touchline/bin/touchline"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    return tmp_path


def names() -> list[str]:
    return [path.name.replace("@", "@1") for path in FILES if path.suffix in (".service", ".target")]


def verify(root: Path) -> str:
    """What systemd says of the units."""
    command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", f"--root={root}", *names()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.stderr + done.stdout


def test_systemd_takes_the_units(root: Path) -> None:
    assert verify(root) == ""


def test_systemd_would_object_to_a_key_that_does_not_exist(root: Path) -> None:
    unit = root / "etc/systemd/system/touchline-loader.service"
    unit.write_text(unit.read_text().replace("Restart=always", "Restarts=always"))
    assert "Restarts" in verify(root)


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_service_has_few_rights(root: Path, path: Path) -> None:
    unit = path.name.replace("@", "@1")
    command = [
        "systemd-analyze",
        "security",
        "--offline=yes",
        f"--threshold={MOST_EXPOSED}",
        f"--root={root}",
        unit,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout[-400:] + done.stderr
