"""The pipeline on one combination of versions: live equals replay. `python -m tests.versions.check` prints what ran.

It runs under the Python that is tried. Kafka's jars are those of `--kafka-jars`, ClickHouse is TOUCHLINE_LIBCHDB.
"""

import argparse
import json
import platform
import tempfile
import time
from pathlib import Path
from typing import Any

from deploy.ingest.publisher import publish
from deploy.sandbox import ClickHouseServer, KafkaBroker
from deploy.simulation.population import Population, simulate
from schemas.catalogue import Catalogue
from streams.identity.policy.load import configured
from streams.journeys.rules.rules import JourneyRules
from streams.replay import Replay
from tests.integration.parts import deployment

EVENTS = 1500


def main() -> None:
    """Run it. Prints one JSON object; ends with an AssertionError if live differs from replay."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka-jars", type=Path)
    jars = parser.parse_args().kafka_jars
    with tempfile.TemporaryDirectory(prefix="touchline-versions-") as folder:
        print(json.dumps(tried(Path(folder), jars)))


def tried(folder: Path, jars: Path | None) -> dict[str, Any]:
    """What ran, with its data in `folder`. Raises AssertionError if live differs from replay."""
    broker = KafkaBroker(folder / "kafka", folder, jars=jars)
    clickhouse = ClickHouseServer(folder / "clickhouse", folder)
    began = time.monotonic()
    try:
        broker.start()
        clickhouse.start()
        with deployment(broker, clickhouse, workers=2, log_dir=folder / "logs") as live:
            events = list(simulate(Population(people=100, events=EVENTS, seed=7)))
            policy = configured(live.settings)
            replay = Replay(policy, Catalogue.load(""), JourneyRules.load(""))
            for event in events:
                replay.add(event)
            publish(events, live.settings, policy)
            live.wait_idle(600)
            found = live.query("SELECT tenant, profile_id, state_hash FROM journeys")
            wanted = {(one["tenant"], one["profile_id"]): one["state_hash"] for one in replay.states()}
            assert {(tenant, str(profile)): told for tenant, profile, told in found} == wanted
            version = live.query("SELECT version()")[0][0]
    finally:
        broker.stop()
        clickhouse.stop()
    return {
        "python": platform.python_version(), "clickhouse": version, "profiles": len(wanted),
        "seconds": round(time.monotonic() - began),
    }  # fmt: skip


if __name__ == "__main__":
    main()
