"""deploy/container/Dockerfile replayed without a container engine: each stage is a folder that is a clean Debian.

A stage begins as a copy of one base that mmdebstrap makes. What the images of Rust and Node have beyond that, the
machine's own toolchains give, mounted into the stage for its RUN lines alone. Root is needed, for chroot.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "container" / "Dockerfile"
IGNORE = DOCKERFILE.with_name("Dockerfile.dockerignore")
SUITE = "bookworm"
PACKAGES = "python3,python3-venv,ca-certificates,gcc,libc6-dev"
#: Mounted into every stage: how this machine reaches registries, and its authorities.
MACHINE = ("/etc/resolv.conf", "/etc/pip.conf", "/etc/npmrc", "/etc/ssl/certs", "/root/.npmrc")
#: Mounted into the stages of an image: what it has beyond Debian.
TOOLCHAINS = {
    "rust": ("/root/.cargo", "/root/.rustup"),
    "node": ("/usr/bin/node", "/usr/bin/npm", "/usr/lib/node_modules"),
}
#: Environment that says how to reach registries.
PASSED = re.compile(r"(PIP_(CERT|DEFAULT_TIMEOUT)|SSL_CERT_FILE|NODE_EXTRA_CA_CERTS|.*_proxy)$")
RUN_SECONDS = 1800


@dataclass
class Stage:
    """One FROM: its folder, and what its instructions have said so far."""

    root: Path
    image: str
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    user: str = "0:0"
    said: dict[str, str] = field(default_factory=dict)  #: HEALTHCHECK, ENTRYPOINT, CMD


def instructions(text: str) -> Iterator[tuple[str, str]]:
    """The instructions of a Dockerfile with their arguments, lines joined, comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in re.sub(r"\\\n\s*", " ", "\n".join(lines)).splitlines():
        if line.strip():
            name, _, rest = line.strip().partition(" ")
            yield name.upper(), rest.strip()


def ignored(path: str, patterns: Sequence[str]) -> bool:
    """Whether a file of the context is left out: the last pattern that names it or a folder above it decides."""
    out = False
    places = [path, *(str(parent) for parent in PurePosixPath(path).parents if str(parent) != ".")]
    for pattern in patterns:
        name = pattern.removeprefix("!").rstrip("/")
        anywhere = name.removeprefix("**/")
        if any(
            (fnmatch.fnmatchcase(place, name) and place.count("/") == name.count("/"))
            or (name != anywhere and fnmatch.fnmatchcase(place.rpartition("/")[2], anywhere))
            for place in places
        ):
            out = not pattern.startswith("!")
    return out


def context(folder: Path) -> Path:
    """What Docker would send to the builder: the source tree without what is ignored."""
    patterns = [line for line in IGNORE.read_text().splitlines() if line and not line.startswith("#")]
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in listed:
        if (ROOT / name).is_file() and not ignored(name, patterns):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def base() -> Path:
    """A clean Debian, made the first time; the test is skipped where it cannot be made."""
    missing = [
        program for program in ("mmdebstrap", "unshare", "cargo", "npm") if shutil.which(program) is None
    ]
    if missing or os.geteuid() != 0:
        pytest.skip(
            f"this needs root and {', '.join(missing) or 'nothing else'} (apt-get install mmdebstrap)"
        )
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "touchline"
    target = cache / f"debian-{SUITE}"
    if not (target / "complete").exists():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        command = ["mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(target / "root")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS)
        if done.returncode:
            pytest.skip(f"no clean Debian can be made here: {done.stderr[-300:]}")
        (target / "complete").touch()
    return target / "root"


class Replay:
    """Replays the Dockerfile below a folder. `final` is the last stage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stages: dict[str, Stage] = {}
        self.context = context(folder / "context")

    @property
    def final(self) -> Stage:
        return list(self.stages.values())[-1]

    def run(self) -> None:
        """All instructions, in their order."""
        clean = base()
        for name, rest in instructions(DOCKERFILE.read_text()):
            if name == "FROM":
                image, _, stage = rest.partition(" AS ")
                root = self.folder / f"stage-{len(self.stages)}"
                subprocess.run(["cp", "-a", str(clean), str(root)], check=True)
                self.stages[stage or "final"] = Stage(root, image)
            else:
                getattr(self, f"do_{name.lower()}")(self.final, rest)

    def do_run(self, stage: Stage, command: str) -> None:
        done = self.execute(stage, ["/bin/sh", "-c", command], toolchain=True)
        assert done.returncode == 0, f"RUN {command}\n{done.stdout[-1500:]}{done.stderr[-3000:]}"

    def do_copy(self, stage: Stage, rest: str) -> None:
        source = self.context
        *names, target = [part for part in shlex.split(rest) if not part.startswith("--from=")]
        if rest.startswith("--from="):
            source = self.stages[rest.split()[0].removeprefix("--from=")].root
        for name in names:
            found, to = source / name.lstrip("/"), stage.root / self._inside(stage, target)
            assert found.exists(), f"COPY {rest}: there is no {name}"
            if found.is_dir():
                shutil.copytree(found, to, symlinks=True, dirs_exist_ok=True)
            else:
                to = to / found.name if target.endswith("/") else to
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(found, to)

    def do_workdir(self, stage: Stage, path: str) -> None:
        stage.workdir = path
        (stage.root / path.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def do_env(self, stage: Stage, rest: str) -> None:
        for part in shlex.split(rest):
            name, _, value = part.partition("=")
            stage.env[name] = value.replace("$PATH", stage.env.get("PATH", _PATH))

    def do_user(self, stage: Stage, user: str) -> None:
        stage.user = user

    def do_label(self, stage: Stage, rest: str) -> None:
        stage.said["LABEL"] = rest

    def do_stopsignal(self, stage: Stage, name: str) -> None:
        stage.said["STOPSIGNAL"] = name

    def do_healthcheck(self, stage: Stage, rest: str) -> None:
        stage.said["HEALTHCHECK"] = rest.partition("CMD ")[2]

    def do_entrypoint(self, stage: Stage, rest: str) -> None:
        stage.said["ENTRYPOINT"] = rest

    def do_cmd(self, stage: Stage, rest: str) -> None:
        stage.said["CMD"] = rest

    def start(self, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
        """What `docker run --read-only --tmpfs /tmp IMAGE ARGUMENTS` does with the last stage."""
        command = [
            *json.loads(self.final.said["ENTRYPOINT"]),
            *(arguments or json.loads(self.final.said["CMD"])),
        ]
        return self.execute(self.final, command, read_only=True, **env)

    def execute(
        self,
        stage: Stage,
        command: Sequence[str],
        *,
        toolchain: bool = False,
        read_only: bool = False,
        **env: str,
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command in a stage, as the stage's user."""
        mounts = [*MACHINE] if toolchain else ["/etc/resolv.conf"]
        extra = TOOLCHAINS.get(stage.image.split(":")[0], ()) if toolchain else ()
        script = [f"root={shlex.quote(str(stage.root))}", "set -e", 'mount --bind "$root" "$root"']
        for path in (*mounts, *extra):
            if Path(
                path
            ).is_symlink():  # a mount would put the file in its place, and npm looks beside itself
                script.append(f'ln -sfn {Path(path).readlink()} "$root{path}"')
            elif Path(path).exists():
                make = (
                    "mkdir -p"
                    if Path(path).is_dir()
                    else 'mkdir -p "$(dirname "$root' + path + '")" && touch'
                )
                script += [
                    f'[ -e "$root{path}" ] || {{ {make} "$root{path}"; }}',
                    f'mount --bind {path} "$root{path}"',
                ]
        script += ['mount -t proc proc "$root/proc"', 'mount --bind /dev "$root/dev"']
        if read_only:
            script += ['mount -o remount,bind,ro "$root"', 'mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"']
        inside = f"cd {shlex.quote(stage.workdir)} && exec {shlex.join(command)}"
        script.append(f'exec chroot --userspec={stage.user} "$root" /bin/sh -c {shlex.quote(inside)}')
        passed = (
            {name: value for name, value in os.environ.items() if PASSED.match(name)} if toolchain else {}
        )
        path = f"/root/.cargo/bin:{_PATH}" if "/root/.cargo" in extra else _PATH
        return subprocess.run(
            ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", "\n".join(script)],
            env={"HOME": "/root" if toolchain else "/nonexistent", "PATH": path, **passed, **stage.env, **env},
            capture_output=True, text=True, timeout=RUN_SECONDS,
        )  # fmt: skip

    def _inside(self, stage: Stage, target: str) -> str:
        path = target if target.startswith("/") else f"{stage.workdir}/{target}"
        return path.lstrip("/")


_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
