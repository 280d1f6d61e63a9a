"""What processes go by: a fingerprint of policy, catalogue and rules that each tells, and the doctor compares."""

import json
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path

import pytest

from deploy.monitoring.fingerprint import fingerprint
from deploy.monitoring.server import INFO, MetricsServer
from deploy.ports import free_port
from deploy.repair.doctor.findings import Examination
from deploy.repair.doctor.process_checks import addresses, compare, process_checks
from schemas.errors import SettingsError
from schemas.health import Health, Heartbeat
from schemas.settings import Settings

RULES = "[friction]\nhalf_life_hours = 24\n"


def with_rules(folder: Path, text: str) -> Settings:
    (folder / "journey.toml").write_text(text)
    return Settings(journey_rules=str(folder / "journey.toml"))


def test_a_fingerprint_is_of_what_files_say_and_not_of_comments_or_layout(tmp_path: Path) -> None:
    ours = fingerprint(with_rules(tmp_path, RULES))
    assert fingerprint(with_rules(tmp_path, f"# why\n\n{RULES.replace(' = ', '=')}")) == ours
    assert fingerprint(with_rules(tmp_path, RULES.replace("24", "25"))) != ours
    assert fingerprint(Settings()) != ours


def test_the_same_text_in_another_setting_gives_another_fingerprint(tmp_path: Path) -> None:
    file = tmp_path / "some.toml"
    file.write_text("[x]\ny = 1\n")
    names = ("identity_policy", "catalogue", "journey_rules")
    assert len({fingerprint(Settings(**{name: str(file)})) for name in names}) == 3  # type: ignore[arg-type]


def test_a_file_that_is_gone_is_a_sentence() -> None:
    with pytest.raises(SettingsError, match="TOUCHLINE_CATALOGUE names a file that cannot be read"):
        fingerprint(Settings(catalogue="/no/catalogue.toml"))


@pytest.mark.parametrize(
    ("info", "word"),
    [
        ({"process": "worker", "version": "0.0.9", "meanings": "ours"}, "runs Touchline 0.0.9"),
        ({"process": "worker", "version": version("touchline"), "meanings": "theirs"}, "another identity policy"),
        ({}, "runs Touchline None"),
    ],
)  # fmt: skip
def test_another_release_or_other_meanings_are_a_fault(info: dict[str, str], word: str) -> None:
    found = Examination()
    compare("the worker at a:1", info, "ours", found)
    (one,) = found.findings
    assert word in one.what
    assert one.mend


@pytest.mark.parametrize("process", ["page", "serve", "webhooks"])
def test_a_process_that_decides_nothing_may_have_other_files(process: str) -> None:
    found = Examination()
    compare("it", {"process": process, "version": version("touchline"), "meanings": "theirs"}, "ours", found)
    assert not found.findings


def test_the_doctor_asks_every_target_and_says_which_is_away_unready_or_different(tmp_path: Path) -> None:
    settings = with_rules(tmp_path, RULES)
    INFO.clear()
    INFO.labels("worker", version("touchline"), "python", fingerprint(Settings())).set(1)
    with ExitStack() as stack:
        servers = [
            MetricsServer(0, Health("worker", Heartbeat(lambda _: None), lambda why=why: why))
            for why in ("", "it waits")
        ]
        for server in servers:
            server.start()
            stack.callback(server.stop)
        targets = tmp_path / "targets.json"
        ports = [*(server.server_address[1] for server in servers), free_port()]
        targets.write_text(
            json.dumps([{"targets": [f"127.0.0.1:{port}"], "labels": {"name": "x"}} for port in ports])
        )
        found = Examination()
        process_checks(settings, addresses(targets), found)
    INFO.clear()
    well, unready, gone = (f"127.0.0.1:{port}" for port in ports)
    assert [one.what.partition(",")[0] for one in found.findings] == [
        f"the worker at {well} goes by another identity policy",
        f"the worker at {unready} is not ready",
        f"the worker at {unready} goes by another identity policy",
        f"no process answers at {gone} (URLError)",
    ]


@pytest.mark.parametrize("text", ["", "3", "[1]", '[{"labels": {}}]'])
def test_a_targets_file_without_targets_is_refused_with_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "targets.json").write_text(text)
    with pytest.raises(SettingsError, match="--targets"):
        addresses(tmp_path / "targets.json")
