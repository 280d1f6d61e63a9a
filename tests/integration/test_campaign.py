"""The campaign example, and what ClickHouse says of its deliveries."""

import subprocess
import sys
from pathlib import Path

import pytest

from deploy.sandbox import ClickHouseServer, TansuBroker
from tests.integration.parts import deployment

pytestmark = [pytest.mark.sandbox, pytest.mark.soak]

ROOT = Path(__file__).parents[2]


def test_a_cart_that_was_ordered_late_takes_its_reminder_back_and_nobody_without_consent_hears_of_it(
    tansu: TansuBroker, clickhouse: ClickHouseServer, tmp_path: Path
) -> None:
    with deployment(tansu, clickhouse, log_dir=tmp_path) as live:
        done = subprocess.run(
            [sys.executable, "-m", "deploy.examples.campaign"],
            cwd=ROOT, env=live.env(), capture_output=True, text=True, timeout=240,
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{live.log_tails()}"
        assert done.stdout.count("campaign: a reminder for ann") == 1
        assert done.stdout.count("campaign: no reminder for ann") == 1
        assert "reminder for ben" not in done.stdout
        assert "reminder for cem" not in done.stdout
        live.wait_idle()

        rows = live.query(
            "SELECT wanted, outcome, reason, count(), max(code) FROM webhook_deliveries FINAL"
            " WHERE endpoint = 'campaign' GROUP BY ALL ORDER BY ALL"
        )
    assert ("RAISED", "DELIVERED", "", 1, 204) in rows
    assert ("RETRACTED", "DELIVERED", "", 1, 204) in rows
    assert ("RAISED", "WITHHELD", "CONSENT", 2, None) in rows
