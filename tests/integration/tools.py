"""Tools that check files, installed the first time into the user's cache; a test is skipped if they cannot be had."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.collecting import CLIENTS, cache_folder, install

#: What renders a chart and what checks manifests, Go modules; helm takes minutes to compile, once.
GO_TOOLS = {
    "helm": "helm.sh/helm/v4/cmd/helm@v4.3.2",
    "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0",
}
#: Its CustomResourceDefinitions say what a ScaledObject is.
KEDA = "github.com/kedacore/keda/v2@v2.20.2"


def node_package(name: str) -> Path:
    """The folder in which the packages of a folder of tests/clients, with a package.json, are installed."""
    if shutil.which("npm") is None:
        pytest.skip("this needs npm on PATH")
    package = Path(name) / "package.json"
    target = cache_folder(name, package)
    if not (target / "complete").exists():
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(CLIENTS / package, target)
        npm = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
        install([*npm, "--loglevel=error", "--prefix", str(target)])
        (target / "complete").touch()
    return target


def go_tool(name: str) -> Path:
    """The program that `go install` makes of a module."""
    _require_go()
    module = GO_TOOLS[name]
    folder = _cache() / f"go-{module.rpartition('/')[2]}"
    if not (folder / name).exists():
        folder.mkdir(parents=True, exist_ok=True)
        install(["env", f"GOBIN={folder}", "GOFLAGS=-p=2", "go", "install", module])
    return folder / name


def go_module(module: str) -> Path:
    """The folder with a module's source."""
    _require_go()
    install(["go", "mod", "download", module])
    done = subprocess.run(
        ["go", "mod", "download", "-json", module], capture_output=True, text=True, check=True
    )
    (line,) = [line for line in done.stdout.splitlines() if '"Dir"' in line]
    return Path(line.split('"')[3])


def _require_go() -> None:
    if shutil.which("go") is None:
        pytest.skip("this needs go on PATH")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "touchline"
