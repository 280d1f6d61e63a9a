"""The tutorial, followed to the letter: each command works, and shows what the text says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.parts import deployment

pytestmark = [pytest.mark.sandbox, pytest.mark.soak]

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "tutorial.md").read_text()
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
#: Setting up, which the deployment of the test stands for.
BEFORE = ("make ", "source ", "touchline up")


def test_the_tutorial_does_what_it_says(tansu, clickhouse, tmp_path) -> None:
    (events,) = [text for kind, text in BLOCKS if kind == "json"]
    (tmp_path / "events.jsonl").write_text(events)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "touchline").write_text(f'#!/bin/sh\nexec {sys.executable} -m deploy.cli "$@"\n')
    (tmp_path / "bin" / "touchline").chmod(0o755)
    lines = [
        line
        for kind, text in BLOCKS
        if kind == ""
        for line in text.splitlines()
        if not line.startswith(BEFORE)
    ]
    said: dict[str, list[str]] = {}
    with deployment(tansu, clickhouse, log_dir=tmp_path / "logs") as live:
        env = live.env() | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        for line in lines:
            done = subprocess.run(
                ["bash", "-c", line], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
            said.setdefault(line, []).append(done.stdout)
            if "publish" in line:
                live.wait_idle()
        (people,) = live.query("SELECT count(), max(touchpoints) FROM journeys")
        (first,) = live.query("SELECT argMin(type, occurred_at) FROM touchpoints_current")
    assert people == (1, 6)
    assert first == ("email_opened",)
    before, after = said["touchline journey email:ann@example.com"]
    rows = [re.findall(r"^(\w+) +│(.*)", screen, re.MULTILINE) for screen in (before, after)]
    assert [channel for channel, _ in rows[0]] == ["web", "app", "phone", "friction"]
    marks = {channel: re.search(r"[^\s┊]", signs) for channel, signs in rows[1]}
    first = min((mark.start(), channel) for channel, mark in marks.items() if mark)
    assert first[1] == "email", after
    (explained,) = said["touchline explain cookie:ck-1 device_id:app-1"]
    assert "email" in explained
