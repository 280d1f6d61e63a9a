"""The jars of Apache Kafka: fetched once by Maven as deploy/kafka/pom.xml says, kept in the user's cache."""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from schemas.errors import UnavailableError

FOLDER: Final = Path(__file__).parents[1] / "kafka"
FETCH_SECONDS: Final = 600.0


def missing_programs() -> list[str]:
    """Which of the programs that Apache Kafka needs are not on PATH."""
    return [program for program in ("java", "mvn") if shutil.which(program) is None]


def require_programs() -> None:
    """Raise UnavailableError, naming what to install, if a program is missing."""
    missing = missing_programs()
    if missing:
        raise UnavailableError(
            f"Apache Kafka needs {' and '.join(missing)} on PATH: install Java 17 and Maven"
            " (Debian: apt-get install openjdk-17-jre-headless maven) or use --broker sandbox"
        )


def folder() -> Path:
    """Where the jars of this pom.xml are or will be: another version of the file gets another folder."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    mark = hashlib.sha256((FOLDER / "pom.xml").read_bytes()).hexdigest()[:12]
    return cache / "touchline" / f"kafka-{mark}"


def fetch() -> Path:
    """Return the folder of jars, fetching them the first time. Raises UnavailableError."""
    require_programs()

    def copy(scratch: Path) -> Path:
        jars = scratch / "jars"
        run_maven(
            FOLDER / "pom.xml",
            ["dependency:copy-dependencies", f"-DoutputDirectory={jars}"],
            "fetch Apache Kafka's jars",
        )
        return jars

    return make_once(folder(), copy)


def make_once(target: Path, make: Callable[[Path], Path]) -> Path:
    """The folder `target`. If it does not exist, `make` fills a folder in a scratch folder, which then becomes it."""
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            made = make(Path(scratch))
            # renaming is atomic: a second process that made it at the same time wins or loses whole
            if not target.is_dir():
                made.rename(target)
    return target


def run_maven(pom: Path, arguments: Sequence[str], purpose: str) -> None:
    """Run Maven on a pom.xml. Raises UnavailableError: "Maven could not `purpose`" and why."""
    try:
        subprocess.run(
            ["mvn", "-q", "-B", "-f", str(pom), *arguments],
            check=True,
            capture_output=True,
            timeout=FETCH_SECONDS,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        output = (error.stdout or b"").decode(errors="replace").strip().splitlines()
        reason = output[0] if output else str(error)
        raise UnavailableError(f"Maven could not {purpose}: {reason}") from error
