"""Who is who, asked of a running deployment; and what starts, or refuses to, under which policy."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from deploy.ingest.publisher import publish
from schemas.settings import Settings
from streams.identity.policy.load import load
from tests.integration.parts import TOUCHLINE, Deployment, deployment
from tests.support.touchpoints import touchpoint

pytestmark = pytest.mark.sandbox

POLICY = """
[types.customer_id]
priority = 10
unique = true
[types.email]
priority = 20
normaliser = "email"
[types.cookie]
priority = 70
[tenants.bank.types.customer_id]
unique = false
"""


def touchline(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*TOUCHLINE, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def explained(live: Deployment, *arguments: str) -> dict[str, Any]:
    done = touchline(live.env(), "explain", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def evening_on_the_sofa(tenant: str) -> list[Any]:
    return [
        touchpoint("v1", minute=0, ids=[("cookie", "tablet")], tenant=tenant),
        touchpoint("l1", minute=1, ids=[("cookie", "tablet"), ("customer_id", "A")], tenant=tenant),
        touchpoint("m1", minute=2, ids=[("customer_id", "A"), ("email", "A@Shop.de")], tenant=tenant),
        touchpoint("l2", minute=3, ids=[("cookie", "tablet"), ("customer_id", "B")], tenant=tenant),
        touchpoint("v2", minute=4, ids=[("cookie", "tablet")], tenant=tenant),
    ]


def test_a_running_deployment_explains_who_is_who_by_the_rules_of_each_tenant(
    tansu, clickhouse, tmp_path: Path
) -> None:
    path = tmp_path / "identity.toml"
    path.write_text(POLICY)
    with deployment(tansu, clickhouse, log_dir=tmp_path, identity_policy=str(path)) as live:
        settings = live.settings
        policy = load(str(path), settings.pseudonym_secret(), settings.pseudonym_key_id)
        events = [*evening_on_the_sofa("shop"), *evening_on_the_sofa("bank")]
        for late in (False, True):  # so that the second log-in is the last word
            publish([event for event in events if (event["event_id"] == "l2") == late], settings, policy)
            live.wait_idle()

        family = explained(live, "cookie:tablet", "email: a@shop.DE", "--tenant", "shop")
        refused = explained(live, "email:a@shop.de", "customer_id:B", "--tenant", "shop")
        merged = explained(live, "customer_id:A", "customer_id:B", "--tenant", "bank")
        changes = live.query(
            "SELECT tenant, kind, rule, event_id, toUnixTimestamp64Milli(occurred_at)"
            " FROM profile_changes FINAL WHERE event_id = 'l2' ORDER BY tenant"
        )
        ((published_at,),) = live.query("SELECT max(published_at) FROM raw_identity_assignment_history")
        known = live.query(f"SELECT count() FROM identity_at(at = '{published_at:%Y-%m-%d %H:%M:%S.%f}')")
        current = live.query("SELECT count() FROM identity_current")
        shown = live.query("SELECT tenant, event_id, profile_id FROM touchpoints_current")

    assert not family["same"]
    assert [step["event_id"] for step in family["steps"]] == ["l1", "m1"]
    assert family["one"]["contested_by"]["event_id"] == "l2"
    assert [step["rule"] for step in refused["steps"] if not step["accepted"]] == ["unique:customer_id"]
    assert merged["same"]
    assert [step["event_id"] for step in merged["steps"]] == ["l1", "l2"]
    time_of_l2 = touchpoint("l2", minute=3)["occurred_at"]
    assert changes == [
        ("bank", "MERGED", "link", "l2", time_of_l2),
        ("shop", "SPLIT", "contested:cookie", "l2", time_of_l2),
    ]
    assert known == current == [(8,)]
    assert abs(published_at.timestamp() - time.time()) < 120
    assert len({profile for tenant, _, profile in shown if tenant == "bank"}) == 1
    assert len({profile for tenant, _, profile in shown if tenant == "shop"}) == 3


@pytest.mark.parametrize("command", ["worker", "publish"])
def test_without_a_key_nothing_starts_that_needs_one(tmp_path: Path, command: str) -> None:
    events = tmp_path / "events.jsonl"
    events.write_text("")
    environment = {**os.environ, **Settings().to_env(), "TOUCHLINE_PSEUDONYM_KEY": ""}

    done = touchline(environment, command, *([str(events)] if command == "publish" else []))

    assert done.returncode == 1
    assert done.stderr.startswith("touchline: identity.toml, line ")
    assert "set TOUCHLINE_PSEUDONYM_KEY to the output of `openssl rand -hex 32` and keep it" in done.stderr
    assert done.stderr.count("\n") == 1
