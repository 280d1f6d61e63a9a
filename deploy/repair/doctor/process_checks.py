"""Checks of the processes themselves, as far as their metrics ports answer: health, release and meanings."""

import json
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final
from urllib.error import HTTPError
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from deploy.monitoring.fingerprint import fingerprint
from deploy.repair.doctor.findings import Examination
from schemas.errors import SettingsError
from schemas.metrics.process import INFO
from schemas.settings import Settings

#: Processes that decide by policy, catalogue and rules, or prepare what others decide by them.
DECIDING: Final = frozenset({"worker", "loader", "collector"})
ANSWER_SECONDS: Final = 5.0


def addresses(targets: Path) -> list[str]:
    """The addresses, host:port, in a file that Prometheus's file_sd_configs reads. Raises SettingsError."""
    try:
        groups = json.loads(targets.read_text(encoding="utf-8"))
        return [str(address) for group in groups for address in group["targets"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"--targets {targets} cannot be read ({type(error).__name__}): name a JSON file like"
            ' [{"targets": ["127.0.0.1:9101"]}]'
        ) from error


def process_checks(settings: Settings, processes: Sequence[str], found: Examination) -> None:
    """Ask each process how it is, and compare what it goes by with this command's release and settings."""
    ours = fingerprint(settings)
    for address in processes:
        try:
            problem, info = _ready(address), _info(address)
        except (OSError, HTTPException, ValueError) as error:
            found.fault(
                "meanings", f"no process answers at {address} ({type(error).__name__})",
                "start it, or take the address out of the targets",
            )  # fmt: skip
            continue
        name = f"the {info.get('process', 'process')} at {address}"
        if problem:
            found.fault("meanings", f"{name} is not ready, {problem}", "docs/runbook.md, TouchlineNotReady")
        compare(name, info, ours, found)


def compare(name: str, info: Mapping[str, str], ours: str, found: Examination) -> None:
    """Find a process of another release or with other meanings. `info` are the labels of its `touchline_info`."""
    if info.get("version") != version("touchline"):
        found.fault(
            "meanings", f"{name} runs Touchline {info.get('version')}, and this command is {version('touchline')}",
            "give all of them one release (docs/upgrades.md)",
        )  # fmt: skip
    elif info.get("process") in DECIDING and info.get("meanings") != ours:
        found.fault(
            "meanings",
            f"{name} goes by another identity policy, other journey rules or another catalogue than these settings",
            "give every process the same TOUCHLINE_IDENTITY_POLICY, TOUCHLINE_CATALOGUE and TOUCHLINE_JOURNEY_RULES,"
            " and start those again that have others",
        )


def _ready(address: str) -> str:
    """Why a process is not ready; "" if it is."""
    try:
        with urlopen(f"http://{address}/readyz", timeout=ANSWER_SECONDS):
            return ""
    except HTTPError as error:
        with error:
            told: dict[str, Any] = json.loads(error.read())
        return str(told.get("problem", error))


def _info(address: str) -> dict[str, str]:
    with urlopen(f"http://{address}/metrics", timeout=ANSWER_SECONDS) as answer:
        text = answer.read().decode()
    samples = (one for family in text_string_to_metric_families(text) for one in family.samples)
    return next((dict(one.labels) for one in samples if one.name == INFO.name), {})
