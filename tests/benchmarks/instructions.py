"""Instructions that a worker executes per event: a figure that a busy machine does not change. `make instructions`

A fixed, seeded workload runs through the real agents (lean_worker.py) under valgrind, once in each of two sizes: the
difference is what the events cost, without Python's start. Kafka's and aiokafka's share of a worker is not in it.

`instructions.toml` holds the figure that was accepted, by Python version and core: `--core` is native, python, or auto,
the native one where it is installed. More than its tolerance above it fails (exit code 1). Accept what a change costs,
or gains, with `--accept`. To see where instructions go:

    python -m tests.benchmarks.instructions --profile callgrind.out && callgrind_annotate callgrind.out | head -60
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Annotated, Final

import typer

from deploy.cli.output import remarks
from schemas.errors import TouchlineError, UnavailableError
from streams.journeys.state.native_fold import why_not
from tests.benchmarks.lean_worker import prepare
from tests.support.built_in import CATALOGUE, RULES

ROOT: Final = Path(__file__).parents[2]
GUARD: Final = Path(__file__).with_name("instructions.toml")
#: The smaller size also makes the first profiles, which the larger one starts from.
SIZES: Final = 1_000, 4_000
PEOPLE: Final = 200
TOLERANCE: Final = 0.1  #: of a new guard file
#: Counts only, which takes a third of callgrind's time.
COUNT: Final = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
PROFILE: Final = ("valgrind", "--tool=callgrind")
_TOTAL: Final = re.compile(r"I\s+refs:\s+([\d,]+)")
_HEAD: Final = """\
# Instructions per event that were accepted, by Python version: see instructions.py. `--accept` writes this file.
# They belong to the versions of constraints.txt: compiled packages (fastavro above all) count too.
"""


class CostlierError(TouchlineError):
    """An event costs more instructions than was accepted."""


def main(
    accept: Annotated[
        bool, typer.Option(help="Accept what it costs now: write it into instructions.toml.")
    ] = False,
    profile: Annotated[
        Path | None, typer.Option(help="Write callgrind's profile of the larger size here.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figure as JSON.")] = False,
    core: Annotated[str, typer.Option(help="auto, native or python.")] = "auto",
) -> None:
    """Count, compare with what was accepted; exit code 1 if it is dearer, 2 if it cannot be told."""
    try:
        if shutil.which("valgrind") is None:
            raise UnavailableError("valgrind is not on PATH: install it (Debian: apt-get install valgrind)")
        if core == "auto":
            core = "python" if why_not(CATALOGUE, RULES) else "native"
        with tempfile.TemporaryDirectory() as folder:
            workload = Path(folder) / "workload"
            prepare(workload, SIZES[-1], PEOPLE)
            if profile is not None:
                _run([*PROFILE, f"--callgrind-out-file={profile.resolve()}"], workload, SIZES[-1], core)
                remarks.print(f"wrote {profile}: callgrind_annotate {profile} | head -60")
                return
            found = per_event(workload, core)
        guard = read_guard()
        print(
            json.dumps({"instructions_per_event": found, "python": version_of(core)})
            if as_json
            else f"{found:,} an event"
        )
        if accept:
            write_guard(guard, found, version_of(core))
        else:
            compare(found, guard, version_of(core))
    except CostlierError as error:
        remarks.print(str(error))
        raise typer.Exit(1) from error
    except TouchlineError as error:
        remarks.print(str(error))
        raise typer.Exit(2) from error


def per_event(workload: Path, core: str) -> int:
    """Instructions per event of a prepared workload."""
    _run((), workload, SIZES[0], core)  # so that compiling what is imported late counts in neither
    small, large = (_counted(_run(COUNT, workload, size, core)) for size in SIZES)
    return round((large - small) / (SIZES[1] - SIZES[0]))


def version_of(core: str) -> str:
    """What the figure depends on."""
    python = f"{platform.python_implementation()} {sys.version_info.major}.{sys.version_info.minor}"
    return f"{python} {platform.machine()}" + (", native core" if core == "native" else "")


def compare(found: int, guard: dict[str, object], version: str) -> None:
    """Raise CostlierError if it is over what the guard allows, UnavailableError if the guard says nothing of it."""
    accepted, tolerance = _accepted(guard).get(version), float(str(guard["tolerance"]))
    if accepted is None:
        raise UnavailableError(
            f"{GUARD.name} has no figure for {version}: accept this one with"
            " `python -m tests.benchmarks.instructions --accept`"
        )
    ratio = found / accepted
    if ratio > 1 + tolerance:
        raise CostlierError(
            f"an event costs {found:,} instructions, {ratio:.2f} times the {accepted:,} that {GUARD.name} accepts for"
            f" {version} (tolerance {tolerance:.0%}): make it cheaper, or accept it with --accept and say why"
        )
    if ratio < 1 - tolerance:
        remarks.print(f"{ratio:.2f} times what was accepted: keep the gain with --accept")


def read_guard() -> dict[str, object]:
    """The guard file: its tolerance and the accepted figures; an empty one if there is none."""
    return tomllib.loads(GUARD.read_text()) if GUARD.exists() else {"tolerance": TOLERANCE, "accepted": {}}


def write_guard(guard: dict[str, object], found: int, version: str) -> None:
    """Write the guard file with a new accepted figure of a Python and core."""
    figures = {**_accepted(guard), version: found}
    lines = [f'"{name}" = {figure:_}' for name, figure in sorted(figures.items())]
    GUARD.write_text(f"{_HEAD}tolerance = {guard['tolerance']}\n\n[accepted]\n" + "\n".join(lines) + "\n")


def _accepted(guard: dict[str, object]) -> dict[str, int]:
    accepted = guard["accepted"]
    assert isinstance(accepted, dict)
    return accepted


def _run(tool: list[str] | tuple[str, ...], workload: Path, events: int, core: str) -> str:
    """What valgrind says of one run."""
    command = [*tool, sys.executable, "-m", "tests.benchmarks.lean_worker", str(workload), str(events)]
    # numpy comes with a package here and there: its idle threads spin by the clock
    environment = {"PATH": os.environ["PATH"], "PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"}
    environment["TOUCHLINE_CORE"] = core
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line and not line.startswith("==")]
        raise UnavailableError(f"the run failed: {said[-1] if said else done.stderr}")
    published = json.loads(done.stdout)
    if "dead-letters" in published or published["journey-inputs"] < events:
        raise UnavailableError(f"the workload did not run through the agents as it should: {published}")
    return done.stderr


def _counted(output: str) -> int:
    found = _TOTAL.search(output)
    if found is None:
        raise UnavailableError(f"valgrind said no total: {output.strip().splitlines()[-1]}")
    return int(found[1].replace(",", ""))


if __name__ == "__main__":
    typer.run(main)
