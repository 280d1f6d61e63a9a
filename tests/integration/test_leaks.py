"""Known addresses, numbers and secrets are planted at every edge; after a full run nobody finds them outside the data.

Searched are logs, metrics, what commands print, command lines, the temp folder, the table of subscribers and whatever
else the processes wrote to disk. Left out is what holds the data by design: the input files, the rejected lines (the
user gets them back as they were) and the keys that the test writes down itself.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.ports import free_port
from deploy.sandbox import Process
from schemas.http.hashed_keys import hash_of
from tests.integration.collecting import Collector, collector
from tests.integration.paging import PageProcess
from tests.integration.parts import TOUCHLINE, Deployment, deployment
from tests.integration.processes import wait_until
from tests.integration.serving import ServeProcess
from tests.support.webhooks import SECRET

pytestmark = [pytest.mark.sandbox, pytest.mark.soak]

EMAIL = "ada.lovelace.9321@example.org"
PHONE = "+491719876543"
OTHER = "charles.babbage.7712@example.org"  #: in input that is refused
KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f0" * 2  #: the key of pseudonyms
READER_KEY = "reader-secret-550193"
SOURCE = "leak-shop"  #: its write key is key-leak-shop
HOOK_TOKEN = "hook-token-908172"  #: in the address of a receiver
PLANTED = (HOOK_TOKEN, SECRET, EMAIL, EMAIL.upper(), EMAIL.replace("@", "%40"), PHONE, PHONE[1:], OTHER,
           OTHER.replace("@", "%40"), KEY, READER_KEY, f"key-{SOURCE}")  # fmt: skip


def event(name: str, **fields: object) -> dict[str, object]:
    return {
        "event_id": name, "occurred_at": "2026-01-05T10:00:00Z", "source": SOURCE, "channel": "web",
        "type": "add_to_cart", "identifiers": [{"type": "email", "value": EMAIL}, {"type": "phone", "value": PHONE}],
        **fields,
    }  # fmt: skip


#: Nobody listens there: every attempt fails, and is told about.
HOOKS = """
[endpoints.crm]
url = "http://127.0.0.1:{port}/hook/{token}?key={token}"
changes = ["stage"]
signals = ["*"]
secret = "{secret}"
allow_private = true
retry = {{ first = "200ms", longest = "1s", give_up = "1h" }}
"""
#: Each is refused for another reason, and has an address where the reason is.
REFUSED: tuple[bytes, ...] = (
    json.dumps(event("bad-time", occurred_at=OTHER)).encode(),
    json.dumps(event("bad-type", type=OTHER * 9)).encode(),
    json.dumps(event(OTHER * 9)).encode(),
    json.dumps(event("bad-field") | {OTHER: 1}).encode(),
    json.dumps(event("bad-identifier", identifiers=[{"type": OTHER, "value": OTHER}])).encode(),
    json.dumps(event("bad-amount", amount_minor=OTHER)).encode(),
    f'{{"event_id": "{OTHER}", '.encode(),
    OTHER.encode(),
)


def found_in(text: bytes) -> list[str]:
    return [one for one in PLANTED if one.encode() in text]


def leaks(folder: Path, besides: set[Path]) -> dict[str, list[str]]:
    """The files that hold something planted."""
    return {
        str(path.relative_to(folder)): found
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path not in besides and (found := found_in(path.read_bytes()))
    }


def run(live: Deployment, folder: Path, *arguments: str) -> str:
    """Run a command in the folder. Returns what it printed."""
    done = subprocess.run(
        [*TOUCHLINE, *arguments], cwd=folder, env={**live.env(), "PYTHONPATH": str(Path.cwd())},
        capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout + done.stderr


def post(url: str, path: str, body: bytes, key: str) -> str:
    """The answer, a refusal too."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url + path, body, headers), timeout=30) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return error.read().decode()


def shout(port: int, line: bytes) -> None:
    """Bytes that are no HTTP, with an address and a key in them."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(
            line + b" HTTP/1.1\r\nAuthorization: Bearer " + READER_KEY.encode() + b"\x00\r\n\r\n"
        )
        connection.settimeout(10)
        connection.recv(1000)


def command_lines() -> Iterator[bytes]:
    """Of every process that runs here."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            continue


def test_what_is_planted_is_found_nowhere_outside_the_data(
    tansu, clickhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temp, work, logs = (tmp_path / name for name in ("temp", "work", "logs"))
    for folder in (temp, work, logs):
        folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(temp))
    monkeypatch.setenv("HOME", str(work))
    lines, keys = work / "events.jsonl", work / "readers.toml"
    lines.write_bytes(
        b"\n".join([json.dumps(event(f"e{n}")).encode() for n in range(5)] + list(REFUSED)) + b"\n"
    )
    keys.write_text(
        f'[keys.desk]\nsha256 = "{hash_of(READER_KEY)}"\nscopes = ["read:states", "lookup:identifiers"]\n'
    )
    hooks = work / "webhooks.toml"
    hooks.write_text(HOOKS.format(port=free_port(), token=HOOK_TOKEN, secret=SECRET))
    said: dict[str, str] = {}
    port = free_port()
    overrides = {"pseudonym_key": KEY, "subscriber_keys": str(keys)}
    with deployment(tansu, clickhouse, loader=False, log_dir=logs, metrics_port=port, **overrides) as live:
        # each process needs a port of its own
        live.settings = replace(live.settings, metrics_port=0)
        live.start_loader()
        webhooks = Process(
            "webhooks", [*TOUCHLINE, "webhooks", "run", "--table", str(logs / "webhooks.sqlite")],
            logs / "webhooks.log", replace(live.settings, webhooks=str(hooks)).to_env(),
        )  # fmt: skip
        webhooks.start()
        said["publish"] = run(live, work, "publish", str(lines), "--rejects", str(work / "rejects.jsonl"))
        with collector(live, logs, SOURCE) as collecting:
            for number, body in enumerate([json.dumps(event("c1")).encode(), *REFUSED]):
                post(collecting.url, "/v1/touchpoints", body, f"key-{SOURCE}")
                post(collecting.url, "/v1/track", body, f"key-{SOURCE}")
                post(collecting.url, f"/v1/touchpoints?who={number}&{OTHER}", body, READER_KEY)
            shout(int(collecting.url.rpartition(":")[2]), b"POST /v1/track/" + OTHER.encode() + b"\xe9")
            said["lines"] = "\n".join(line.decode("utf-8", "replace") for line in command_lines())
        live.wait_idle()
        serve, page = ServeProcess(live, logs), PageProcess(live, logs)
        try:
            serve.start()
            page.start()
            bearer = {"Authorization": f"Bearer {READER_KEY}"}
            assert serve.get(f"/v1/profiles/email/{EMAIL}", **bearer).status == 200
            for path in (f"/v1/profiles/email/{OTHER}", f"/v1/accounts/{OTHER}", f"/v1/{OTHER}"):
                assert serve.get(path, **bearer).status in (403, 404)
            shout(serve.port, b"GET /v1/profiles/email/" + OTHER.encode() + b"\xe9")
            page.get("/health")
            shout(page.port, b"GET /t/default/person?q=" + OTHER.encode() + b"\xe9")
        finally:
            page.process.stop()
            serve.process.stop()
        try:
            wait_until(lambda: live.query("SELECT count() FROM webhook_deliveries")[0][0] > 0, 120)
            said["deliveries"] = repr(live.query("SELECT * FROM webhook_deliveries"))
        finally:
            webhooks.stop()
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            said["metrics"] = answer.read().decode()
        run(live, work, "forget", f"email:{EMAIL}", "--person")  # its receipt is for who named the person
        for worker in live.workers:
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGUSR1)  # the dump of tasks
        time.sleep(1)
        live.wait_idle()

    own = {lines, keys, hooks, work / "rejects.jsonl"}
    assert OTHER in (work / "rejects.jsonl").read_text()
    assert {path.name for path in logs.glob("*.log")} >= {
        "worker-1.log",
        "collector.log",
        "serve.log",
        "page.log",
        "webhooks.log",
    }
    assert "touchline_worker_" in said["metrics"]
    assert f"{len(REFUSED)}" in said["publish"]
    assert leaks(tmp_path, own) == {}
    assert {name: found for name, text in said.items() if (found := found_in(text.encode()))} == {}
    assert [path.name for path in temp.rglob("*") if path.is_file()] == []


#: A build that logs what it is sent, as a careless line of debugging would.
LEAKY = """
import logging
from deploy.cli.main import run
from streams.collect.server import Collector
prepare = Collector._prepare
def leaky(self, head, body, *more):
    logging.getLogger("touchline.collect").warning("got %r from %s", body, head)
    return prepare(self, head, body, *more)
Collector._prepare = leaky
run()
"""


def test_a_build_that_logs_a_planted_value_is_found(tansu, clickhouse, tmp_path: Path) -> None:
    with deployment(tansu, clickhouse, workers=0, loader=False, log_dir=tmp_path) as live:
        for command, found in (
            ([], {}),
            ([sys.executable, "-c", LEAKY], {"collector.log": [EMAIL, PHONE, PHONE[1:], f"key-{SOURCE}"]}),
        ):
            collecting = Collector(live, tmp_path, (SOURCE,))
            if command:
                collecting.process.command[: len(TOUCHLINE)] = command
            collecting.start()
            try:
                assert '"accepted"' in post(
                    collecting.url, "/v1/touchpoints", json.dumps(event("l1")).encode(), f"key-{SOURCE}"
                )
            finally:
                collecting.process.stop()
            assert leaks(tmp_path, {tmp_path / "keys.toml"}) == found


def test_the_search_finds_what_is_planted(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"rejected: {OTHER}")
    assert leaks(tmp_path, set()) == {"a.log": [OTHER]}
    assert leaks(tmp_path, {tmp_path / "a.log"}) == {}
