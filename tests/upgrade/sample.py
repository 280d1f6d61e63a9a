"""`python -m tests.upgrade.sample`: store the state of this release, once, when it is released.

Runs the story on the sandbox with this checkout's code and writes tests/upgrade/VERSION. A sample is frozen from then
on: what a later release makes of it is what the tests are about. Commit it with the release.
"""

import argparse
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import schemas.catalogue
import streams.identity.policy.load
import streams.journeys.rules.rules
from deploy.ingest.corrections import publish_correction, withdrawal
from deploy.ingest.publisher import publish
from deploy.repair.dead_letters.reading import records
from deploy.sandbox import ClickHouseServer, TansuBroker
from schemas.encoding.codec import decode_as
from schemas.records import Identifier
from schemas.topics import ACCOUNT_STATES, ALL, DEAD_LETTERS, JOURNEY_STATES, Topic
from tests.integration.parts import Deployment, deployment
from tests.support.touchpoints import START
from tests.upgrade import story
from tests.upgrade.stored import CONFIGURED, FOLDER, Sample, Stored, compacted

PARTITIONS = 2
#: Where the built-in files that `CONFIGURED` names stand.
BUILT_IN = {
    "identity_policy": Path(streams.identity.policy.load.__file__).parent,
    "journey_rules": Path(streams.journeys.rules.rules.__file__).parent,
    "catalogue": Path(schemas.catalogue.__file__).parent,
}


def main() -> int:
    """Run the story and store what it leaves. Exit code 1 if this release has a sample already."""
    parser = argparse.ArgumentParser(prog="python -m tests.upgrade.sample", description=__doc__)
    parser.add_argument(
        "--replace", action="store_true", help="this version is not released yet: store it anew"
    )
    arguments = parser.parse_args()
    sample = Sample(FOLDER / version("touchline"))
    if sample.folder.exists():
        if not arguments.replace:
            print(
                f"{sample.release} has its sample: it is frozen. Raise the version, or --replace before a release."
            )
            return 1
        shutil.rmtree(sample.folder)
    sample.folder.mkdir()
    _configure(sample)
    folder = Path(tempfile.mkdtemp(prefix="touchline-sample-"))
    broker, clickhouse = TansuBroker(folder), ClickHouseServer(folder / "data", folder)
    try:
        broker.start()
        clickhouse.start()
        paths: dict[str, Any] = {name: str(sample.folder / file) for name, file in CONFIGURED.items()}
        with deployment(broker, clickhouse, log_dir=folder, partitions=PARTITIONS, **paths) as live:
            _play(live, sample)
            _store(live, sample)
    finally:
        broker.stop()
        clickhouse.stop()
    sizes = [path.stat().st_size for path in sample.folder.iterdir()]
    print(f"{sample.folder}: {len(sizes)} files, {sum(sizes) // 1024} KiB")
    return 0


def _configure(sample: Sample) -> None:
    """The built-in files, with everything switched on and a horizon that a small sample reaches."""
    for name, file in CONFIGURED.items():
        shutil.copyfile(BUILT_IN[name] / file, sample.folder / file)
    rules = sample.folder / CONFIGURED["journey_rules"]
    text = rules.read_text()
    for section, name, value in (
        ("horizon", "touchpoints", 20),
        ("horizon", "days", 7),
        ("prediction", "issue_risk", "true"),
    ):
        text, found = re.subn(rf"(?ms)(^\[{section}\].*?^{name} *= *)\S+", rf"\g<1>{value}", text)
        assert found == 1, f"{section}.{name}"
    rules.write_text(text)


def _play(live: Deployment, sample: Sample) -> None:
    settings = live.settings
    policy = streams.identity.policy.load.load(
        settings.identity_policy, settings.pseudonym_secret(), settings.pseudonym_key_id
    )
    publish(story.earlier(), settings, policy)
    live.wait_idle()
    ben, bea = (Identifier(type=kind, value=value) for kind, value in (story.BEN, story.BEA))
    publish_correction(withdrawal("default", ben, bea, START + 7 * 60_000), settings)
    live.wait_idle()
    for worker in live.workers:
        assert worker.stop() == 0, live.log_tails()
    sample.write_later(story.later())


def _store(live: Deployment, sample: Sample) -> None:
    for topic in ALL:
        found = list(_records(live, topic))
        assert topic is not DEAD_LETTERS or not found, f"{len(found)} dead letters"
        sample.write(topic, compacted(found) if topic.compacted else found)
    hashes = {
        topic.name: {
            record.key.decode(): decode_as(topic.values[0], record.value)["state_hash"]
            for record in sample.records(topic)
            if record.value is not None
        }
        for topic in (JOURNEY_STATES, ACCOUNT_STATES)
    }
    settings = live.settings
    told = {
        "release": sample.release, "partitions": settings.partitions, "pseudonym_key": settings.pseudonym_key,
        "state_hashes": hashes,
    }  # fmt: skip
    (sample.folder / "release.json").write_text(json.dumps(told, indent=1, sort_keys=True) + "\n")


def _records(live: Deployment, topic: Topic) -> Iterator[Stored]:
    found = records(live.settings, live.settings.topic(topic.name))
    by_partition: dict[int, list[Stored]] = {}
    for record in sorted(found, key=lambda record: (record.partition, record.offset)):
        one = Stored(
            record.partition, record.key, record.value, [(k, bytes(v)) for k, v in record.headers or ()]
        )
        by_partition.setdefault(record.partition, []).append(one)
        # versions are offsets: where a version counts, no offset may be missing
        assert topic.compacted or record.offset == len(by_partition[record.partition]) - 1, record
    return chain.from_iterable(by_partition.values())


if __name__ == "__main__":
    sys.exit(main())
