"""A campaign that acts on abandoned carts, and stops when the order turns out to have been placed in time.

Run it beside `touchline up`, in a terminal that has sourced its env file:

    python -m deploy.examples.campaign

It starts `touchline webhooks run` with one endpoint, which is this process. Then three customers fill a cart and order
nothing: Ann agreed to marketing, Ben did not, and Cem took his consent back. Only Ann gets a reminder. At last an
order of hers arrives late. Touchline retracts the signal, and the campaign takes its reminder back.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

#: The command, as the env file puts it on PATH.
TOUCHLINE: Final = ["touchline"] if shutil.which("touchline") else [sys.executable, "-m", "deploy.cli"]
KEY: Final = secrets.token_bytes(32)
PATIENCE: Final = 120.0  #: seconds
MINUTE_MS: Final = 60_000

CONFIG: Final = """
[endpoints.campaign]
url = "http://127.0.0.1:{port}/touchline"
signals = ["abandoned_cart"]
consent = "marketing"
secret = "whsec_{key}"
allow_private = true
cap = {{ messages = 1, per = "7d" }}
retry = {{ first = "500ms", longest = "10s", give_up = "1d" }}
"""


@dataclass
class Campaign:
    """The campaign tool: a reminder for each signal that holds."""

    reminders: dict[str, str] = field(default_factory=dict)  #: signal → customer
    taken_back: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def take(self, webhook_id: str, event: dict[str, Any]) -> None:
        """Act on an event, once: Touchline repeats it under the same id if it is not sure that it arrived."""
        if webhook_id in self._seen:
            return
        self._seen.add(webhook_id)
        signal = event["data"]["signal"]
        if event["type"] == "signal.retracted":
            customer = self.reminders.pop(signal["signal_id"], None)
            if customer is not None:
                self.taken_back.append(customer)
                say(f"  campaign: no reminder for {customer}: {signal['reason'].lower()}")
            return
        identifiers = (event["data"]["person"] or {}).get("identifiers", [])
        customer = next(
            (one["value"] for one in identifiers if one["type"] == "customer_id"), signal["profile_id"]
        )
        self.reminders[signal["signal_id"]] = customer
        say(f"  campaign: a reminder for {customer}: {signal['rule']}")


def verified(headers: Any, body: bytes) -> bool:
    """Whether a request is Touchline's, as Standard Webhooks says; libraries for many languages do the same."""
    stamp = headers.get("webhook-timestamp", "0")
    signed = f"{headers.get('webhook-id')}.{stamp}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    fresh = stamp.isdigit() and abs(time.time() - int(stamp)) < 300
    signatures = headers.get("webhook-signature", "").split(" ")
    return fresh and any(hmac.compare_digest(wanted, one) for one in signatures)


def receiver(campaign: Campaign) -> ThreadingHTTPServer:
    """The campaign tool's HTTP server, on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            if verified(self.headers, body):
                campaign.take(self.headers["webhook-id"], json.loads(body))
                self.send_response(204)
            else:
                self.send_response(401)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def wait(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition. Raises SystemExit when it takes too long."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {PATIENCE:.0f} seconds")
        time.sleep(0.1)


def withheld(since: int) -> int:
    """How many people were withheld from the campaign since a time (UTC seconds), as the log of deliveries says."""
    asked = (
        "SELECT uniqExact(profile_id) AS people FROM webhook_deliveries FINAL"
        " WHERE endpoint = 'campaign' AND outcome = 'WITHHELD' AND reason = 'CONSENT' AND attempted_at >= {since:Int64}"
    )
    answer = subprocess.run(
        [*TOUCHLINE, "query", "--json", "--param", f"since={since}", asked],
        text=True,
        check=True,
        capture_output=True,
    )
    return int(json.loads(answer.stdout)["people"])


class Shop:
    """What customers do, and when; `publish` brings it to Touchline."""

    def __init__(self) -> None:
        self._run = secrets.token_hex(4)
        self._number = 0
        self._lines: list[str] = []

    def name(self, person: str) -> str:
        """The customer id of a person in this run."""
        return f"{person}-{self._run}"

    def did(self, person: str, kind: str, minutes_ago: int, **fields: Any) -> None:
        """A person did something some minutes ago."""
        self._number += 1
        touchpoint = {
            "event_id": f"{self._run}-{self._number}", "occurred_at": int(time.time() * 1000) - minutes_ago * MINUTE_MS,
            "source": "web-shop", "channel": "web", "type": kind, "identifiers": {"customer_id": self.name(person)},
        }  # fmt: skip
        self._lines.append(json.dumps(touchpoint | fields))

    def publish(self) -> None:
        """Publish what was done since the last time."""
        lines, self._lines = "\n".join(self._lines), []
        subprocess.run([*TOUCHLINE, "publish", "-"], input=lines, text=True, check=True, capture_output=True)


def play(campaign: Campaign, shop: Shop) -> None:
    """The story. Raises SystemExit if it does not end as it should."""
    since = int(time.time())
    for person, decision in (("ann", "GRANTED"), ("ben", None), ("cem", "GRANTED")):
        if decision:
            shop.did(person, "consent_changed", 50, consent={"marketing": decision})
        shop.did(person, "add_to_cart", 45)
    shop.did("cem", "consent_changed", 44, consent={"marketing": "REVOKED"})
    shop.publish()
    say("ann, ben and cem left their carts 45 minutes ago; only ann agrees to marketing")
    wait(lambda: shop.name("ann") in campaign.reminders.values(), "the reminder for ann")
    say("the order of ann arrives late: she had placed it 40 minutes ago")
    shop.did("ann", "order_placed", 40, order_id=f"order-of-{shop.name('ann')}")
    shop.publish()
    wait(lambda: shop.name("ann") in campaign.taken_back, "the end of the reminder for ann")
    wait(lambda: withheld(since) == 2, "the decisions about ben and cem")
    others = {shop.name("ben"), shop.name("cem")} & {*campaign.reminders.values(), *campaign.taken_back}
    if others:
        raise SystemExit(f"{', '.join(others)} must not have heard of the campaign")
    say("ben and cem never heard of the campaign")


def main() -> None:
    """Run the example against the deployment that the environment names."""
    campaign = Campaign()
    server = receiver(campaign)
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "webhooks.toml"
        config.write_text(CONFIG.format(port=server.server_port, key=base64.b64encode(KEY).decode()))
        service = subprocess.Popen(
            [*TOUCHLINE, "webhooks", "run", "--table", f"{folder}/table.sqlite"],
            env={**os.environ, "TOUCHLINE_WEBHOOKS": str(config)}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            assert service.stdout is not None
            say(service.stdout.readline().strip() or "the webhooks service does not start")
            play(campaign, Shop())
        finally:
            service.terminate()
            service.wait(30)
            server.shutdown()


if __name__ == "__main__":
    main()
