"""Try every version that this machine can have, and write docs/versions.md: `make versions` (half an hour or more)."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.sandbox import kafka_jars
from tests.versions.check import EVENTS

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "versions"
DOC = ROOT / "docs" / "versions.md"
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
KAFKAS = (
    "3.7.2",
    "4.2.0",
)  #: the oldest and the newest; between them every test has that of deploy/kafka/pom.xml
CLICKHOUSES = (
    "26.7.0-stable.1",
)  #: of npm; 26.5 there has no option --tcp_port. Every test has that of package.json
LIBRARY = "@chdb/lib-linux-x64-gnu"
#: What a Python is tried with before the pipeline.
TESTS = (
    "tests/unit/schemas", "tests/unit/streams", "tests/unit/sinks", "tests/unit/deploy/sdk", "tests/unit/deploy/ingest",
    "tests/protocols",
)  # fmt: skip

NOTES = """\
- **Pipeline:** {events:,} simulated touchpoints through Kafka, two workers and a loader into ClickHouse. The hash of
  every journey state must be the one that `touchline replay` computes.
- **ClickHouse** is the engine of the npm package chdb. `touchline doctor` asks for 25.8
  or newer: in older ones the analyst may read files.
- **Python 3.13 and newer** have no wheel of `cavro`, so fastavro encodes and decodes in its place, which costs more CPU
  an event. Both give the same bytes (tests/unit/schemas/encoding/test_datum.py).
- **Sums** of predictions are taken from left to right, as the native core takes them. From Python 3.12 on `sum()`
  compensates rounding errors: ten times 0.1 are 0.9999999999999999 on 3.11 and 1.0 on 3.12.
- **Without Node, Java, Maven or cargo** Touchline installs. A command that needs one of them names it and what else
  would do (tests/unit/deploy/sandbox/test_fresh_machine.py).
"""


@dataclass
class Row:
    """One line of the table."""

    what: str
    version: str
    how: str
    result: str
    failed: bool = False


def run(command: list[str], **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout."""
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | env, capture_output=True, text=True, check=False
    )


def pipeline(python: str = sys.executable, *options: str, **env: str) -> tuple[str, bool]:
    """What came of the pipeline, and whether it failed."""
    done = run([python, "-m", "tests.versions.check", *options], **env)
    if done.returncode:
        return f"failed: {(done.stderr.strip().splitlines() or ['without a word'])[-1][:200]}", True
    told = json.loads(done.stdout.splitlines()[-1])
    result = (
        f"{told['profiles']} profiles equal replay (Python {told['python']}, ClickHouse {told['clickhouse']})"
    )
    return result, False


def of_python(version: str, *, tests: bool) -> Row:
    """Python: the unit tests of what runs in production, and the pipeline."""
    how = "unit tests and pipeline" if tests else "pipeline"
    program = shutil.which(f"python{version}")
    if program is None or run([program, "-c", ""]).returncode:
        return Row("Python", version, how, "not tried: no such Python on this machine")
    folder = CACHE / f"python-{version}"
    if not (folder / "complete").exists():
        run([program, "-m", "venv", str(folder)])
        made = run(
            [
                str(folder / "bin/pip"),
                "install",
                "--quiet",
                "-c",
                "constraints.txt",
                "-e",
                ".[fast,sandbox,dev]",
            ]
        )
        if made.returncode:
            why = (made.stderr.strip().splitlines() or ["without a word"])[-1]
            return Row("Python", version, how, f"cannot be installed: {why}", failed=True)
        (folder / "complete").touch()
    python, told, failed = str(folder / "bin/python"), "", False
    if tests:
        done = run([python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS])
        told = f"{(done.stdout.strip().splitlines() or ['no test ran'])[-1]}; "
        failed = done.returncode != 0
    result, stopped = pipeline(python)
    return Row("Python", version, how, told + result, failed or stopped)


def of_kafka(version: str) -> Row:
    """Kafka: its jars from Maven Central."""
    jars = CACHE / f"kafka-{version}"

    def copy(scratch: Path) -> Path:
        pom = scratch / "pom.xml"
        text = (kafka_jars.FOLDER / "pom.xml").read_text()
        pom.write_text(
            re.sub(r"(<artifactId>kafka_2\.13</artifactId>\s*<version>)[^<]+", rf"\g<1>{version}", text)
        )
        made = scratch / "jars"
        kafka_jars.run_maven(
            pom, ["dependency:copy-dependencies", f"-DoutputDirectory={made}"], f"fetch Kafka {version}"
        )
        return made

    kafka_jars.make_once(jars, copy)
    return Row("Apache Kafka", version, "pipeline", *pipeline(sys.executable, "--kafka-jars", str(jars)))


def of_clickhouse(version: str) -> Row:
    """ClickHouse: its engine from npm."""
    library = CACHE / f"clickhouse-{version}"

    def install(scratch: Path) -> Path:
        npm = [
            "npm",
            "install",
            "--no-package-lock",
            "--no-audit",
            "--no-fund",
            "--ignore-scripts",
            "--loglevel=error",
        ]
        run([*npm, "--prefix", str(scratch / "npm"), f"{LIBRARY}@{version}"]).check_returncode()
        return scratch / "npm"

    kafka_jars.make_once(library, install)
    engine = library / "node_modules" / LIBRARY / "libchdb.so"
    return Row("ClickHouse", version, "pipeline", *pipeline(TOUCHLINE_LIBCHDB=str(engine)))


def document(rows: list[Row]) -> str:
    """docs/versions.md."""
    table = "".join(f"| {one.what} | {one.version} | {one.how} | {one.result} |\n" for one in rows)
    kafka = _pinned("deploy/kafka/pom.xml", r"kafka_2.13</artifactId>\s*<version>([^<]+)")
    clickhouse = _pinned("package.json", r'gnu": "([^"]+)')
    return (
        "# Versions\n\n"
        f"Made by `make versions` (`python -m tests.versions`) on {datetime.now(UTC):%Y-%m-%d}. All other tests run"
        f" with Python\n3.11, Apache Kafka {kafka} and ClickHouse {clickhouse}.\n\n"
        f"| what | version | tried with | result |\n|---|---|---|---|\n{table}\n{NOTES.format(events=EVENTS)}"
    )


def _pinned(path: str, pattern: str) -> str:
    found = re.search(pattern, (ROOT / path).read_text())
    assert found is not None
    return found[1]


def main() -> None:
    """Try what the arguments name (python, kafka, clickhouse; all by default), and write the table."""
    chosen = set(sys.argv[1:]) - {"--no-tests"} or {"python", "kafka", "clickhouse"}
    rows: list[Row] = []
    plan = (
        ("python", PYTHONS, lambda version: of_python(version, tests="--no-tests" not in sys.argv)),
        ("kafka", KAFKAS, of_kafka),
        ("clickhouse", CLICKHOUSES, of_clickhouse),
    )
    CACHE.mkdir(parents=True, exist_ok=True)
    for what, versions, try_one in plan:
        for version in versions if what in chosen else ():
            row = try_one(version)
            rows.append(row)
            print(f"{row.what} {row.version}: {row.result}", flush=True)
    failed = [row for row in rows if row.failed]
    if chosen == {"python", "kafka", "clickhouse"} and not failed:
        with tempfile.TemporaryDirectory(dir=DOC.parent) as folder:
            made = Path(folder) / DOC.name
            made.write_text(document(rows))  # with the permissions of any new file
            made.rename(DOC)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
