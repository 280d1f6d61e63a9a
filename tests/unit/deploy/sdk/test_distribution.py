"""The SDK's distribution: everything it imports, nothing more, and no name that a source could have itself."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from deploy.sdk.wheel.assemble import ROOT, assemble, modules, rewritten

SDK_PROJECT: dict[str, Any] = tomllib.loads((ROOT / "deploy/sdk/pyproject.toml").read_text())["project"]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: Import name → distribution, where they differ.
DISTRIBUTIONS = {"kafka": "kafka-python"}
#: Read if they are there.
OPTIONAL = {"cavro"}


def imported(folder: Path) -> set[str]:
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                found.add(str(node.module).partition(".")[0])
    return found - set(sys.stdlib_module_names)


@pytest.fixture(scope="module")
def assembled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdk")
    assemble(folder)
    return folder


def test_it_has_one_import_name_and_needs_only_what_it_declares(assembled: Path) -> None:
    assert {path.name for path in assembled.iterdir() if path.is_dir()} == {"touchline"}
    needed = {DISTRIBUTIONS.get(name, name) for name in imported(assembled)} - OPTIONAL - {"touchline"}
    declared = {re.split("[<>=]", one)[0] for one in SDK_PROJECT["dependencies"]}
    assert needed == declared


def test_what_it_shares_with_touchline_has_the_same_version(assembled: Path) -> None:
    assert SDK_PROJECT["version"] == PROJECT["version"]
    assert set(SDK_PROJECT["dependencies"]) <= set(PROJECT["dependencies"])
    assert set(SDK_PROJECT["optional-dependencies"]["fast"]) <= set(PROJECT["optional-dependencies"]["fast"])


def test_of_the_sinks_it_has_the_table_of_states_alone_and_of_the_streams_the_identity_policy() -> None:
    ours = ("sinks.subscribers.table", "streams.identity")
    packages = {"sinks", "sinks.subscribers", "streams"}
    others = [
        name for name in modules() if name.startswith(("sinks", "streams")) and not name.startswith(ours)
    ]
    assert set(others) == packages
    assert "sinks.subscribers.table.follower" not in modules(), "it needs aiokafka"
    assert len(modules()) < 90


def test_it_works_beside_modules_of_the_same_names(assembled: Path, tmp_path: Path) -> None:
    for name in ("schemas", "streams", "deploy", "sinks"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('a module of the source')\n")
    script = f"""
import sys
sys.path[:0] = [{str(tmp_path)!r}, {str(assembled)!r}]
import touchline, touchline.spool, touchline.publisher
from touchline import JourneyStates, JourneyTable, Publisher, Settings, Signals, Touchpoint
publisher = Publisher(Settings(pseudonym_key="x" * 32))
JourneyStates(Settings(), group="desk").close()
large = {{"faust", "aiokafka", "aiohttp", "clickhouse_driver"}}
print(touchline.publisher.message.__module__, large & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout == "touchline._internal.deploy.ingest.publisher set()\n", done.stderr


def test_an_import_that_could_not_be_renamed_is_refused() -> None:
    with pytest.raises(ValueError, match="write `from … import …`"):
        rewritten("import schemas.keys\n")
    code = "from schemas.keys import (\n    a,\n)\nfrom deploy.sdk.segment import b  # from schemas.keys import\n"
    assert rewritten(code).splitlines() == [
        "from touchline._internal.schemas.keys import (",
        "    a,",
        ")",
        "from touchline.segment import b  # from schemas.keys import",
    ]
