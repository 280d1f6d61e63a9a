"""`touchline journey` against a deployment: raw identifiers in, one screen out."""

import json
import subprocess
from typing import Any

import pytest

from tests.integration.parts import TOUCHLINE, Deployment, deployment
from tests.integration.test_pipeline import send
from tests.support.touchpoints import touchpoint

pytestmark = pytest.mark.sandbox

ANN, BEN = ("customer_id", "C1"), ("customer_id", "C2")
MAIL, TABLET = ("email", "Ann@Shop.de"), ("cookie", "tablet")


def journey(live: Deployment, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = live.env() | {"COLUMNS": "100", "PYTHONUTF8": "1"}
    return subprocess.run([*TOUCHLINE, "journey", *arguments], capture_output=True, text=True, env=env)


def asked(live: Deployment, *arguments: str) -> dict[str, Any]:
    done = journey(live, *arguments, "--json", "--at", "2026-01-01T02:00:00Z")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_whoever_calls_is_found_by_what_they_say_and_nobody_else_is(tansu, clickhouse, tmp_path) -> None:
    events = [
        touchpoint("e1", minute=0, ids=[TABLET], type="product_view"),
        touchpoint("e2", minute=1, ids=[TABLET, ANN], type="add_to_cart", account_id="A1"),
        touchpoint("e3", minute=2, ids=[TABLET, ANN], type="payment_error"),
        touchpoint("e4", minute=9, ids=[ANN, MAIL], type="issue_opened", channel="phone", issue_id="case-1"),
        touchpoint("e5", minute=60, ids=[TABLET, BEN], type="login"),
        touchpoint("e6", minute=61, ids=[TABLET], type="product_view"),
        touchpoint("e7", minute=3, ids=[ANN], tenant="acme", type="product_view"),
    ]
    with deployment(tansu, clickhouse, log_dir=tmp_path) as live:
        send(events, live)
        live.wait_idle()

        ann = asked(live, "email: ANN@shop.de")
        assert [issue["issue_id"] for issue in ann["open_issues"]] == ["case-1"]
        assert [step["type"] for step in ann["last_24_hours"]] == [
            "product_view", "add_to_cart", "payment_error", "issue_opened",
        ]  # fmt: skip
        assert ann["account"]["members"] == 1
        assert ann["profile_id"] == asked(live, "customer_id:C1")["profile_id"]
        assert ann["profile_id"] == asked(live, f"profile:{ann['profile_id']}")["profile_id"]
        assert ann["profile_id"] != asked(live, "customer_id:C1", "--tenant", "acme")["profile_id"]

        shared = asked(live, "cookie:tablet")  # two people logged in on it: from then on it is nobody's
        assert shared["shared_from"] == "2026-01-01T01:00:00.000Z"
        assert [step["type"] for step in shared["last_24_hours"]] == ["product_view"]

        screen = journey(live, "email:ann@shop.de")
        assert screen.returncode == 0, screen.stderr
        assert "payment_error on web" in screen.stdout
        assert "✖" in screen.stdout

        for unknown in ("email:who@shop.de", "cookie:null"):
            nobody = journey(live, unknown)
            assert (nobody.returncode, nobody.stdout) == (1, "")
            assert nobody.stderr.startswith("touchline: ")
            assert nobody.stderr.count("\n") == 1
