"""SDKs that nobody here wrote, with only the host changed: each event arrives once, with the right person."""

import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.collecting import Collector, collector, wait_for
from tests.integration.parts import Deployment, deployment

pytestmark = [pytest.mark.sandbox, pytest.mark.clients]

SEGMENT = ["group", "identify", "order_placed", "page_view", "product_view"]
POSTHOG = ["alias", "identify", "order_placed", "page_view", "product_view"]
#: Client → the types of its story in order; each has a script in tests/clients, and a source, of the same name.
STORIES = {
    "segment-python": SEGMENT,
    "segment-node": SEGMENT,
    "rudder-python": SEGMENT,
    "rudder-node": SEGMENT,
    "posthog-python": POSTHOG,
    "posthog-node": POSTHOG,
    "cloudevents-python": ["login", "order_placed", "product_view"],
    "snowplow-python": ["login", "order_placed", "page_view", "product_view"],
    "curl": ["login", "order_placed", "product_view"],
}
WITHOUT_GROUPS = ("cloudevents-python", "snowplow-python")
COUNT = 300


def arrived(live: Deployment, source: str) -> list[tuple[str, ...]]:
    return live.query(
        "SELECT type, channel, profile_id, account_id, campaign, amount_minor, currency, attributes, event_id"
        f" FROM touchpoints_current WHERE source = '{source}' ORDER BY type, event_id"
    )


def test_the_story_of_every_client_is_one_persons(tansu, clickhouse, tmp_path: Path) -> None:
    with (
        deployment(tansu, clickhouse, log_dir=tmp_path) as live,
        collector(live, tmp_path, *STORIES) as running,
    ):
        seconds = {source: time_to_first_event(live, running, source) for source in STORIES}
        print(f"seconds from the start of a client's process to its first row: {seconds}")
        live.wait_idle()
        assert max(seconds.values()) < 60

        for source, types in STORIES.items():
            rows = arrived(live, source)
            assert [row[0] for row in rows] == types, source
            assert len({row[2] for row in rows}) == 1, f"{source}: more than one person"
            (order,) = (row for row in rows if row[0] == "order_placed")
            assert order[5:7] == (1999, "EUR"), source
            assert "secret" not in str(rows)
            assert "example.com" not in str(rows)
            ids = live.query(f"SELECT identifiers FROM profiles WHERE profile_id = '{order[2]}'")[0][0]
            assert {("customer_id", f"user-{source}"), ("cookie", f"anon-{source}")} <= set(ids), source
            campaigns, accounts = {row[4] for row in rows}, {row[3] for row in rows}
            assert "spring" in campaigns, source
            assert ("acme" in accounts) == (source not in WITHOUT_GROUPS), source
        people = {row[2] for source in STORIES for row in arrived(live, source)}
        assert len(people) == len(STORIES)
        assert live.query("SELECT reason, error FROM dead_letters FINAL") == []


def time_to_first_event(live: Deployment, running: Collector, source: str) -> float:
    """Run a client's story; seconds from the start of its process until ClickHouse has a row of it."""
    started = time.monotonic()
    client = running.client(source, "story")
    first = None
    while client.poll() is None or first is None:
        if first is None and arrived(live, source):
            first = time.monotonic() - started
        assert time.monotonic() - started < 120, f"{source} brought nothing"
        time.sleep(0.02)
    wait_for(client)
    return round(first, 1)


@pytest.mark.parametrize("source", STORIES)
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
