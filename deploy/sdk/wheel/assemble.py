"""The build backend of the SDK: copies what it imports under one name, so that it meets no module of a source.

A source may well have a module `schemas` or `streams` of its own. So `deploy.sdk` becomes `touchline`, and what it
imports of this project becomes `touchline._internal`, with the imports rewritten. Nothing else is changed, and what is
not imported is not there.
"""

import ast
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from setuptools import build_meta

ROOT: Final = Path(__file__).parents[3]
TOPS: Final = ("schemas", "streams", "sinks", "deploy")
SDK: Final = "deploy.sdk"
NAME: Final = "touchline"
INSIDE: Final = "touchline._internal"
#: Read at run time by the modules that are copied.
DATA: Final = (
    "schemas/avro/*.avsc",
    "schemas/versions/*/*.json",
    "schemas/catalogue.toml",
    "streams/identity/policy/identity.toml",
)

Settings = dict[str, Any] | None


def build_wheel(target: str, settings: Settings = None, _metadata: str | None = None) -> str:
    """Build a wheel (PEP 517); returns its name."""
    return _build(build_meta.build_wheel, target, settings)


def build_sdist(target: str, settings: Settings = None) -> str:
    """Build a source distribution (PEP 517), which builds anywhere; returns its name."""
    return _build(build_meta.build_sdist, target, settings)


def assemble(target: Path) -> None:
    """Write the distribution's sources into an empty folder."""
    for module, path in modules().items():
        place = target / Path(*renamed(module).split("."))
        file = place / "__init__.py" if path.name == "__init__.py" else place.with_suffix(".py")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(rewritten(path.read_text(encoding="utf-8")), encoding="utf-8")
    inside = target / Path(*INSIDE.split("."))
    (inside / "__init__.py").write_text(
        '"""What the SDK shares with Touchline; no interface."""\n', encoding="utf-8"
    )
    for pattern in DATA:
        for path in ROOT.glob(pattern):
            copy = inside / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    (target / NAME / "py.typed").touch()
    shutil.copy(ROOT / "docs" / "sdk.md", target / "README.md")
    project = (ROOT / "deploy" / "sdk" / "pyproject.toml").read_text(encoding="utf-8")
    backend = 'build-backend = "assemble"\nbackend-path = ["wheel"]\n'
    (target / "pyproject.toml").write_text(
        project.replace(backend, 'build-backend = "setuptools.build_meta"\n'), encoding="utf-8"
    )


def modules() -> dict[str, Path]:
    """The SDK's modules and those of this project that they import, with their files."""
    found: dict[str, Path] = {}
    waiting = [SDK]
    while waiting:
        module = waiting.pop()
        path = _file(module)
        if path is None or module in found:
            continue  # a name in a module, not a module; or known
        found[module] = path
        waiting += _imported(path.read_text(encoding="utf-8"))
        if "." in module:
            waiting.append(module.rpartition(".")[0])
    return found


def renamed(module: str) -> str:
    """The name of a module of this project in the distribution."""
    if module == SDK or module.startswith(f"{SDK}."):
        return NAME + module.removeprefix(SDK)
    return f"{INSIDE}.{module}"


def rewritten(code: str) -> str:
    """The code with its imports of this project renamed. Raises ValueError for an import of a whole module."""
    lines = code.splitlines(keepends=True)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import) and any(_ours(name.name) for name in node.names):
            raise ValueError(f"write `from … import …` in place of `{ast.unparse(node)}`")
        if isinstance(node, ast.ImportFrom) and node.module and _ours(node.module):
            line = lines[node.lineno - 1]
            old = f"from {node.module} "
            lines[node.lineno - 1] = line.replace(old, f"from {renamed(node.module)} ", 1)
    return "".join(lines)


def _imported(code: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and node.module and _ours(node.module):
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _ours(module: str) -> bool:
    return module.partition(".")[0] in TOPS


def _file(module: str) -> Path | None:
    path = ROOT / Path(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _build(build: Callable[[str, Settings], str], target: str, settings: Settings) -> str:
    target = str(Path(target).absolute())
    with tempfile.TemporaryDirectory() as folder, _inside(Path(folder)):
        assemble(Path(folder))
        return build(target, settings)


@contextmanager
def _inside(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
