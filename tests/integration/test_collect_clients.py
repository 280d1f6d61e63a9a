"""SDKs that nobody here wrote, with only the host changed: each event arrives once, with the right person."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.collecting import Collector, collector, wait_for
from tests.integration.parts import Deployment, deployment

pytestmark = pytest.mark.sandbox

#: SDKs that speak Segment's API; each has a script of the same name in tests/clients, and a source named after it.
SEGMENT = ("segment-python", "rudder-python", "segment-node", "rudder-node")
COUNT = 300
STORY = ["group", "identify", "order_placed", "page_view", "product_view"]


def arrived(live: Deployment, source: str) -> list[tuple[str, ...]]:
    return live.query(
        "SELECT type, channel, profile_id, account_id, campaign, amount_minor, currency, attributes, event_id"
        f" FROM touchpoints_current WHERE source = '{source}' ORDER BY type, event_id"
    )


def test_the_story_of_every_segment_client_is_one_persons(tansu, clickhouse, tmp_path: Path) -> None:
    with (
        deployment(tansu, clickhouse, log_dir=tmp_path) as live,
        collector(live, tmp_path, *SEGMENT) as running,
    ):
        for source in SEGMENT:
            running.run_client(source, "story")
        live.wait_idle()

        for source in SEGMENT:
            rows = arrived(live, source)
            assert [row[0] for row in rows] == [
                "group",
                "identify",
                "order_placed",
                "page_view",
                "product_view",
            ], source
            assert len({row[2] for row in rows}) == 1, f"{source}: more than one person"
            group, identify, order, page, _ = rows
            assert group[3] == "acme"
            assert order[4:7] == ("spring", 1999, "EUR")
            assert "secret" not in str(page[7])
            assert "example.com" not in str(identify)
            ids = live.query(f"SELECT identifiers FROM profiles WHERE profile_id = '{order[2]}'")[0][0]
            kinds = {kind for kind, _ in ids}
            assert {"customer_id", "cookie"} <= kinds, source
            assert ("customer_id", f"user-{source}") in ids
        people = {row[2] for source in SEGMENT for row in arrived(live, source)}
        assert len(people) == len(SEGMENT)
        assert live.query("SELECT count() FROM dead_letters FINAL") == [(0,)]


@pytest.mark.parametrize("source", SEGMENT)
def test_a_collector_that_is_killed_in_the_middle_loses_nothing_and_doubles_nothing(
    tansu, clickhouse, tmp_path: Path, source: str
) -> None:
    with (
        deployment(tansu, clickhouse, log_dir=tmp_path) as live,
        collector(live, tmp_path, source) as running,
    ):
        client = running.client(source, "many", str(COUNT))
        kills = kill_until_it_ends(running, client)
        wait_for(client)
        live.wait_idle()

        assert kills >= 2
        rows = arrived(live, source)
        assert sorted(row[0] for row in rows) == sorted(f"ride_{number}" for number in range(COUNT))
        assert len({row[2] for row in rows}) == 1


def kill_until_it_ends(running: Collector, client: "subprocess.Popen[str]") -> int:
    """kill -9 the collector again and again while the client sends, at most five times; how often it was."""
    for kills in range(5):
        time.sleep(0.9)
        if client.poll() is not None:
            return kills
        running.process.kill()
        time.sleep(0.2)
        running.start()
    return 5
