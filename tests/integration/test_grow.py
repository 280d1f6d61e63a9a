"""Two partitions become five under load: nothing is lost or doubled, and in the end everything is as replay has it."""

import json
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deploy.ingest.corrections import publish_correction, withdrawal
from deploy.kafka_admin.topics import create_topics
from deploy.sandbox import Process
from schemas.records import Identifier
from schemas.settings import Settings
from schemas.topics import IDENTITY_LINKS
from tests.integration.parts import TOUCHLINE, Deployment, deployment, on_kafka
from tests.integration.processes import kill_at_work
from tests.integration.test_pipeline import assert_live_equals, replayed, send, simulated
from tests.support.touchpoints import START, touchpoint

pytestmark = [pytest.mark.sandbox, pytest.mark.soak]

PAIR = Identifier(type="cookie", value="lent"), Identifier(type="customer_id", value="L-1")
LENT = [
    touchpoint(f"lent-{minute}", minute=minute, ids=[(one["type"], one["value"]) for one in PAIR])
    for minute in (1, 2)
]


def growing(settings: Settings, prefix: str, quiet: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*TOUCHLINE, "grow", "--partitions", "5", "--prefix", prefix, "--quiet", str(quiet), "--json"],
        env=settings.to_env(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def published(events: list[Any], live: Deployment, at_once: int = 40) -> None:
    for start in range(0, len(events), at_once):
        send(events[start : start + at_once], live)
        time.sleep(0.2)


@on_kafka
def test_a_deployment_grows_from_two_to_five_partitions_under_load(
    broker, clickhouse, tmp_path: Path
) -> None:
    events = simulated(people=200, events=4_000, seed=5)
    before, during, after = events[:2_000], events[2_000:3_000], events[3_000:]
    with deployment(broker, clickhouse, workers=2, log_dir=tmp_path, partitions=2) as live:
        send([*before, *LENT], live)
        live.wait_idle()
        publish_correction(withdrawal("default", *PAIR, START + 60_000), live.settings)
        live.wait_idle()

        new = replace(
            live.settings,
            topic_prefix=f"g2-{live.settings.topic_prefix}",
            partitions=5,
            epoch=live.settings.epoch + 1,
        )
        create_topics(new)
        with ThreadPoolExecutor(1) as pool:
            load = pool.submit(published, during, live)
            killed = growing(live.settings, new.topic_prefix, 600)
            kill_at_work(killed, 8)
            copier = growing(live.settings, new.topic_prefix, 20)
            # the next generation's workers catch up beside the present ones
            workers = [
                Process(
                    f"new worker {number}",
                    [*TOUCHLINE, "worker"],
                    tmp_path / f"new-{number}.log",
                    new.to_env(),
                )
                for number in range(2)
            ]
            grown = Deployment(new, tmp_path)
            try:
                for worker in workers:
                    worker.start()
                load.result()
                send(after[:500], grown)  # the first source has moved, the last one has not
                send(after[500:], live)
                out, error = copier.communicate(timeout=300)
                assert copier.returncode == 0, error
                assert json.loads(out)["followed"] > 0

                # nobody writes to the old topics: the loader moves, and the old workers go
                live.wait_idle()
                assert live.loader is not None
                assert live.loader.stop() == 0
                for worker in live.workers:
                    assert worker.stop() == 0
                grown.workers = workers
                grown.start_loader()
                grown.wait_idle(300)

                assert_unlinked(grown)
                strangers = "SELECT count() FROM signals_open WHERE profile_id NOT IN (SELECT profile_id FROM journeys)"
                assert grown.query(strangers) == [(0,)]
                assert_live_equals(replayed_with_withdrawal(events, live), grown)
                assert grown.query("SELECT count() FROM dead_letters") == [(0,)]
            finally:
                grown.workers = workers
                grown.close()


def replayed_with_withdrawal(events: list[Any], live: Deployment) -> Any:
    replay = replayed([*events, *LENT], live)
    replay.correct(withdrawal("default", *PAIR, START + 60_000))
    return replay


def assert_unlinked(live: Deployment) -> None:
    """The correction was copied, too: without it the first touchpoint's link would count."""
    topic = live.settings.topic(IDENTITY_LINKS.name)
    assert live.query(f"SELECT count() FROM identity_corrections FINAL WHERE source_topic = '{topic}'") == [
        (1,)
    ]
