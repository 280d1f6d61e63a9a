"""A pseudonymisation key is replaced while people come and go: whoever is seen meanwhile stays one person."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.settings import Settings
from tests.integration.parts import TOUCHLINE, Deployment, deployment
from tests.integration.test_pipeline import send
from tests.support.touchpoints import touchpoint

pytestmark = [pytest.mark.sandbox, pytest.mark.soak]

ANN, BEN, CAT = (("email", f"{name}@shop.de") for name in ("ann", "ben", "cat"))


def touchline(live: Deployment, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*TOUCHLINE, *arguments], env=live.env(), capture_output=True, text=True, timeout=120
    )


def test_nobody_who_is_seen_during_a_rotation_is_lost_and_nobody_is_merged(
    tansu, clickhouse, tmp_path: Path
) -> None:
    with deployment(tansu, clickhouse, log_dir=tmp_path) as live:
        before = live.settings
        during = replace(
            before, pseudonym_key="f" * 64, pseudonym_key_id="k2",
            previous_pseudonym_key=before.pseudonym_key, previous_pseudonym_key_id="k1",
        )  # fmt: skip
        after = replace(during, previous_pseudonym_key="", previous_pseudonym_key_id="")
        phases: list[tuple[Settings, list[dict[str, object]]]] = [
            (
                before,
                [{"ids": [ANN, ("cookie", "ann-1")]}, {"ids": [BEN, ("cookie", "ben-1")]}, {"ids": [CAT]}],
            ),
            (during, [{"ids": [ANN]}, {"ids": [BEN, ("cookie", "ben-2")]}]),
            (
                after,
                [{"ids": [ANN, ("cookie", "ann-2")]}, {"ids": [BEN]}, {"ids": [CAT, ("cookie", "cat-2")]}],
            ),
        ]
        for number, (settings, seen) in enumerate(phases):
            live.settings = settings
            send(
                [touchpoint(f"{number}-{n}", minute=10 * number + n, **one) for n, one in enumerate(seen)],
                live,
            )
            live.wait_idle()

        found = live.query(
            "SELECT groupUniqArray(event_id) FROM touchpoints_current GROUP BY profile_id ORDER BY min(event_id)"
        )
        assert [sorted(events) for (events,) in found] == [
            ["0-0", "1-0", "2-0"], ["0-1", "1-1", "2-1"],
            # not seen while both keys were in use
            ["0-2"], ["2-2"],
        ]  # fmt: skip
        told = [json.loads(line) for line in touchline(live, "keys", "status", "--json").stdout.splitlines()]
        assert [(one["key"], one["type"], one["values"], one["under_another_key_too"]) for one in told] == [
            ("k1", "email", 3, 2), ("k2", "email", 3, 2),
        ]  # fmt: skip

        # both keys again: the third one is found, and an erasure finds both pseudonyms
        live.settings = during
        send([touchpoint("3-2", minute=40, ids=[CAT])], live)
        live.wait_idle()
        assert live.query("SELECT uniqExact(profile_id) FROM touchpoints_current") == [(3,)]
        erased = touchline(live, "forget", "email:Ann@shop.de", "--json")
        assert erased.returncode == 0, erased.stderr
        live.wait_idle()
        assert live.query(
            "SELECT count() FROM touchpoints_current WHERE event_id IN ('0-0', '1-0', '2-0')"
        ) == [(0,)]
