"""A machine without Node, Java, Maven or cargo: one sentence names what is missing, and what does its work."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.sandbox import clickhouse, kafka_jars
from schemas.errors import UnavailableError

ROOT = Path(__file__).parents[4]
#: What the shell of a Makefile needs itself.
TOOLS = ("bash", "sh", "touch", "find", "echo", "grep")


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which there is nothing but a shell."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        found = shutil.which(tool)
        if found is not None:
            (folder / tool).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.usefixtures("bare")
def test_without_java_and_maven_kafka_names_both_and_the_other_broker() -> None:
    with pytest.raises(UnavailableError) as told:
        kafka_jars.fetch()
    assert "Apache Kafka needs java and mvn on PATH" in str(told.value)
    assert "or use --broker sandbox" in str(told.value)


@pytest.mark.usefixtures("bare")
def test_without_node_clickhouse_says_what_would_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clickhouse, "ROOT", tmp_path)
    monkeypatch.delenv("TOUCHLINE_LIBCHDB", raising=False)
    with pytest.raises(UnavailableError, match=r"put a `clickhouse` binary on PATH or use --clickhouse URL"):
        clickhouse.engine()


@pytest.mark.parametrize(
    ("target", "missing", "goes_on"),
    [
        ("node_modules/.installed", "npm is not on PATH", "all else works"),
        (".venv/.native", "cargo is not on PATH", "Python does its work"),
    ],
)
def test_make_says_what_is_missing_and_goes_on(
    bare: Path, tmp_path: Path, target: str, missing: str, goes_on: str
) -> None:
    make = shutil.which("make", path="/usr/bin:/bin:/usr/local/bin")
    if make is None:
        pytest.skip("make is not on this machine")
    for name in ("Makefile", "package.json", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".installed").touch()
    done = subprocess.run(
        [make, "--no-print-directory", target], cwd=tmp_path, env={"PATH": str(bare)}, capture_output=True, text=True
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(missing)
    assert goes_on in done.stdout
    assert len(done.stdout.strip().splitlines()) == 1
