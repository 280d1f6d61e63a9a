"""What a machine may do to a process: another clock, a full disk, little memory. As root only, but for the clock."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import which

_CLOCK = Path(__file__).with_name("clock.c")
#: cgroup v1 has a tree for each controller, v2 one for all.
CGROUPS = Path("/sys/fs/cgroup")


class NotPermittedError(Exception):
    """This machine does not let the fault be played; the sentence says why."""


def shifted(seconds: int, folder: Path) -> dict[str, str]:
    """The environment of a process whose wall clock is ahead by so much; less than 0: behind.

    Durations stay right. `folder` gets the library that does it.
    """
    library = folder / "clock.so"
    if not library.exists():
        compiler = which("cc")
        if compiler is None:
            raise NotPermittedError("no C compiler is on PATH: apt-get install gcc")
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(_CLOCK)], check=True)
    return {"LD_PRELOAD": str(library), "CLOCK_SHIFT": str(seconds)}


@dataclass
class Disk:
    """A small file system in memory."""

    path: Path

    def fill(self) -> None:
        """Use up what is free, to the last page."""
        filler = os.open(self.path / "filler", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            for size in (1 << 20, 4096):
                with suppress(OSError):
                    while True:
                        os.write(filler, bytes(size))
        finally:
            os.close(filler)

    def free(self) -> None:
        """Give back what `fill` took."""
        (self.path / "filler").unlink(missing_ok=True)

    @property
    def left(self) -> int:
        """Free bytes."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize


@contextmanager
def disk(path: Path, mebibytes: int) -> Iterator[Disk]:
    """Mount one over a folder, whose contents come along and go back afterwards. Nobody may use them meanwhile."""
    path.mkdir(parents=True, exist_ok=True)
    size = f"size={mebibytes}m"
    kept = path.with_name(f"{path.name}.kept")
    path.rename(kept)
    path.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(path)], capture_output=True, text=True
        )
        if done.returncode:
            raise NotPermittedError(f"no file system can be mounted: {done.stderr.strip()}")
        try:
            _move(kept, path)
            yield Disk(path)
        finally:
            (path / "filler").unlink(missing_ok=True)
            _move(path, kept)
            subprocess.run(["umount", "--lazy", str(path)], check=True)
    finally:
        path.rmdir()
        kept.rename(path)


def _move(source: Path, target: Path) -> None:
    """Copy what a folder holds, holes as holes, and remove it there."""
    subprocess.run(["cp", "-a", "--sparse=always", f"{source}/.", str(target)], check=True)
    subprocess.run(["find", str(source), "-mindepth", "1", "-delete"], check=True)


@dataclass
class Group:
    """A cgroup with a limit: a command that comes after `around` runs in it."""

    path: Path
    around: Sequence[str]
    kind: str

    def peak_mib(self) -> int:
        """The most memory it had."""
        for name in ("memory.max_usage_in_bytes", "memory.peak"):
            with suppress(OSError):
                return int((self.path / name).read_text()) >> 20
        return 0

    def kills(self) -> int:
        """How often the kernel killed a process of it for want of memory."""
        for name in ("memory.oom_control", "memory.events"):
            with suppress(OSError):
                for line in (self.path / name).read_text().splitlines():
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        return 0

    def limit(self, share: float | None) -> None:
        """Give it so much of one core; None: no limit."""
        quota = -1 if share is None else int(share * 100_000)
        if (self.path / "cpu.cfs_quota_us").exists():
            (self.path / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (self.path / "cpu.max").write_text(f"{'max' if share is None else quota} 100000")


@contextmanager
def group(kind: str, name: str, mebibytes: int = 0) -> Iterator[Group]:
    """A cgroup of a controller, `memory` or `cpu`."""
    version_1 = (CGROUPS / kind).is_dir()
    path = (CGROUPS / kind if version_1 else CGROUPS) / f"touchline-{name}"
    try:
        path.mkdir()
        if mebibytes:
            file = "memory.limit_in_bytes" if version_1 else "memory.max"
            (path / file).write_text(str(mebibytes << 20))
    except OSError as error:
        with suppress(OSError):
            path.rmdir()
        raise NotPermittedError(f"no cgroup can be made here: {error}") from error
    enter = 'echo $$ > "$0/cgroup.procs" && exec "$@"'
    try:
        yield Group(path, ["sh", "-c", enter, str(path)], f"cgroup v{1 if version_1 else 2}")
    finally:
        with suppress(OSError):
            path.rmdir()
