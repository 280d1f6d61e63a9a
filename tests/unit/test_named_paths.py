"""Docs and comments name files of the tree: a file that moves must take its references with it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: A path from the root of the tree, as prose names it.
PATH = re.compile(
    r"(?<![\w/.-])(?:streams|schemas|sinks|deploy|tests|docs)/[\w/.-]*\.(?:py|toml|sql|avsc|md|json|svg)\b"
)
#: A module that prose names without its folder.
MODULE = re.compile(r"`(\w+\.py)`")
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SOURCES = [
    path
    for folder in ("streams", "schemas", "sinks", "deploy", "tests")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in {".py", ".toml", ".avsc", ".sql"}
    and "upgrade" not in path.relative_to(ROOT).parts  # a frozen release names its own files
]
MODULES = {path.name for path in SOURCES if path.suffix == ".py"}


def missing_paths(text: str) -> set[str]:
    return {path for path in PATH.findall(text) if not (ROOT / path).exists()}


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_file_that_a_page_names_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert missing_paths(text) == set()
    assert set(MODULE.findall(text)) - MODULES == set()


def test_every_file_that_a_comment_names_exists() -> None:
    missing = {
        str(source.relative_to(ROOT)): paths
        for source in SOURCES
        if source != Path(__file__) and (paths := missing_paths(source.read_text(encoding="utf-8")))
    }
    assert missing == {}


def test_a_path_that_does_not_exist_is_found() -> None:
    assert missing_paths("see `streams/journeys/fold.py` and streams/replay.py") == {
        "streams/journeys/fold.py"
    }
