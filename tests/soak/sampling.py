"""One look at everything that may grow: processes, disks, parts of tables, lags."""

import os
from pathlib import Path
from typing import Any

from clickhouse_driver import Client
from clickhouse_driver.errors import Error as ClickHouseError

from deploy.sandbox import Process
from schemas.errors import TouchlineError
from schemas.settings import Settings
from sinks.clickhouse.connection import connect
from tests.benchmarks.processes import cpu_seconds
from tests.faults.trial import Trial

#: A sample as a line of JSON has it. What cannot be read, because a process is down, is None.
Sample = dict[str, Any]
MIB = 2**20


def sample(trial: Trial, folders: dict[str, Path]) -> Sample:
    """Look at every process, at the folders (what → where) and at the tables."""
    return {
        "processes": {process.name: of_process(process) for process in watched(trial)},
        "disk_mib": {what: disk_mib(folder) for what, folder in folders.items()},
        **_tables(trial.live.settings),
        "lag": _lags(trial),
    }


def watched(trial: Trial) -> list[Process]:
    """Workers, loader and both servers."""
    servers = (trial.arena.kafka.process, trial.arena.clickhouse.process)
    return [*trial.children(), *(process for process in servers if process is not None)]


def of_process(process: Process) -> dict[str, Any] | None:
    """Resident memory, of that what no file backs, open files, threads and CPU time so far."""
    if not process.alive:
        return None
    try:
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{process.pid}/status").read_text().splitlines()
        )
        return {
            "pid": process.pid,
            "rss_mib": round(int(status["VmRSS"].split()[0]) / 1024, 1),
            "anon_mib": round(int(status["RssAnon"].split()[0]) / 1024, 1),
            "files": sum(1 for _ in Path(f"/proc/{process.pid}/fd").iterdir()),
            "threads": int(status["Threads"]),
            "cpu_s": round(cpu_seconds(process.pid), 2),
        }
    except (OSError, KeyError):
        return None  # it ended meanwhile


def disk_mib(folder: Path) -> float:
    """What the files of a folder take on the disk, MiB. Files may come and go meanwhile."""
    blocks = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                blocks += os.lstat(f"{place}/{name}").st_blocks
            except FileNotFoundError:
                continue
    return round(blocks * 512 / MIB, 1)


def _tables(settings: Settings) -> Sample:
    try:
        client = connect(settings.clickhouse())
        try:
            active, inactive = _one(
                client,
                "SELECT countIf(active), countIf(NOT active) FROM system.parts WHERE database = currentDatabase()",
            )
            (profiles,) = _one(client, "SELECT count() FROM journeys")
            (touchpoints,) = _one(client, "SELECT count() FROM raw_touchpoints")
        finally:
            client.disconnect()
    except (TouchlineError, ClickHouseError, OSError, EOFError):
        active = inactive = profiles = touchpoints = None
    return {"parts": active, "old_parts": inactive, "profiles": profiles, "touchpoints": touchpoints}


def _one(client: Client, sql: str) -> tuple[Any, ...]:
    (row,) = client.execute(sql)
    return tuple(row)


def _lags(trial: Trial) -> dict[str, int] | None:
    backlogs = trial.live.backlogs()
    if backlogs is None:
        return None
    return {group: sum(one.lag for one in found) for group, found in backlogs.items()}
