"""The Kafka Streams peer (Java 17): built once by Maven into the user's cache, started by the contract of the peers.

What it is: Kafka Streams of the broker's own version, its defaults (at least once, commits every 30 s, 10 MB of record
cache, one stream thread), an optimised topology and batches of 128 KB; state in memory, restored from changelogs
(PEER_STORE=rocksdb asks for RocksDB, which is slower here); Avro readers that skip the fields they do not need;
RowBinary inserts over HTTP, one batch under way while the next one is collected, all of them in ClickHouse before
offsets are committed.

Its record cache coalesces: a profile's state is published when it leaves the cache or at a commit, not per event.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from fastavro import schemaless_reader
from fastavro.schema import load_schema

from deploy.sandbox.kafka_jars import make_once, require_programs, run_maven
from schemas.encoding.codec import HEADER_BYTES

FOLDER: Final = Path(__file__).with_suffix("")
CONTRACTS: Final = Path(__file__).parents[3] / "schemas" / "avro"
#: What touchpoints are written with; on the class path, so that Avro reads them with any schema of fewer fields.
WRITERS: Final = ("Identifier.avsc", "Touchpoint.avsc")

#: The collector is the JVM's choice: G1 from two cores and 2 GB on. PEER_JAVA_OPTIONS goes after these and wins.
JAVA_OPTIONS: Final = ("-Xmx1g", "-Dorg.apache.avro.specific.use_custom_coders=true")

_STATE: Final = load_schema(FOLDER / "src" / "main" / "avro" / "JourneyCore.avsc")


def command(folder: Path) -> list[str]:
    """The command that starts the peer, which is built if need be. `folder` takes the JVM's own files.

    Raises UnavailableError if Java or Maven are missing, or Maven cannot provide what the build needs.
    """
    built = build()
    more = os.environ.get("PEER_JAVA_OPTIONS", "").split()
    own = f"-Djava.io.tmpdir={folder}"  # RocksDB unpacks its library there
    return [
        "java",
        *JAVA_OPTIONS,
        own,
        *more,
        "-cp",
        f"{built}/classes:{built}/jars/*",
        "touchline.peer.Main",
    ]


def decode_state(value: bytes) -> dict[str, Any]:
    """A record of the peer's states topic, by the fields of JourneyCore.avsc."""
    state: Any = schemaless_reader(BytesIO(value[HEADER_BYTES:]), _STATE, None)
    return dict(state)


def compiling_seconds(pid: int) -> float:
    """CPU seconds that the JVM's compilers took so far (Linux): half a short run's cost, nothing in a long one."""
    total = 0
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        name, _, fields = stat.read_text().partition("(")[2].rpartition(")")
        if name.startswith(("C1 Compiler", "C2 Compiler")):
            user, system = fields.split()[11:13]
            total += int(user) + int(system)
    return total / os.sysconf("SC_CLK_TCK")


def build() -> Path:
    """The folder of classes and jars, built the first time. Raises UnavailableError."""
    require_programs()

    def compiled(scratch: Path) -> Path:
        project = scratch / "project"
        shutil.copytree(FOLDER, project, ignore=shutil.ignore_patterns("target"))
        for name in WRITERS:
            shutil.copy(CONTRACTS / name, project / "src" / "main" / "resources")
        built = project / "target"
        run_maven(
            project / "pom.xml",
            [
                "compile",
                "dependency:copy-dependencies",
                "-DincludeScope=runtime",
                f"-DoutputDirectory={built / 'jars'}",
            ],
            "build the Kafka Streams peer",
        )
        return built

    return make_once(build_folder(), compiled)


def build_folder() -> Path:
    """Where the build is or will be: other sources get another folder."""
    mark = hashlib.sha256()
    for file in _sources():
        mark.update(file.name.encode() + b"\0" + file.read_bytes())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "touchline" / f"kafka-streams-{mark.hexdigest()[:12]}"


def _sources() -> Iterator[Path]:
    yield from (CONTRACTS / name for name in WRITERS)
    yield FOLDER / "pom.xml"
    yield from sorted(file for file in (FOLDER / "src").rglob("*") if file.is_file())
