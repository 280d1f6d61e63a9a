"""Makes a deployment of a saved folder: new topics with the saved records, and groups that go on where they were.

Offsets begin anew, and versions are offsets. So the epoch must be higher than the saved one: then every new version is
higher than those that states, tables and subscribers hold.
"""

import gzip
import json
from base64 import b64decode
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata

from deploy.kafka_admin.client import broken, close_producer, consumer, group_consumer, producer
from deploy.kafka_admin.sending import ConfirmedSender
from deploy.kafka_admin.topics import create_topics
from deploy.repair.backup.save import Manifest, digest, file_of
from schemas.errors import SettingsError, TouchlineError
from schemas.settings import Settings
from schemas.topics import ALL

_PENDING: Final = 5_000


def check(folder: Path) -> Manifest:
    """The manifest of a folder whose files are all there and unchanged. Raises SettingsError."""
    manifest = Manifest.read(folder)
    for name, saved in manifest.topics.items():
        path = file_of(folder, name)
        if not path.is_file() or digest(path) != saved.sha256:
            raise SettingsError(
                f"{path} is missing or changed since the backup was made: take another backup"
            )
    return manifest


def restore(settings: Settings, folder: Path, progress: Callable[[str, int], None]) -> Manifest:
    """Create the topics and fill them. `progress` gets each topic with its number of records.

    Raises SettingsError if the folder is damaged, the settings do not fit or a topic holds records already.
    """
    manifest = check(folder)
    if settings.partitions != manifest.partitions:
        raise SettingsError(
            f"the backup has {manifest.partitions} partitions: set TOUCHLINE_PARTITIONS to that, and use"
            " `touchline grow` later"
        )
    if settings.epoch <= manifest.epoch:
        raise SettingsError(
            f"TOUCHLINE_EPOCH is {settings.epoch}: set it to {manifest.epoch + 1} or more for every process, since"
            " offsets begin anew and versions must grow"
        )
    create_topics(settings)
    try:
        _require_empty(settings)
        places = {
            (group, *_parted(place)): offset
            for group, committed in manifest.committed.items()
            for place, offset in committed.items()
        }
        # group, topic and partition → how many saved records have a lower offset than the committed one
        passed: Counter[tuple[str, str, int]] = Counter()
        for name in manifest.topics:
            _fill(settings, folder, name, places, passed)
            progress(name, manifest.topics[name].records)
        for group in manifest.committed:
            _commit(settings, group, {place[1:]: passed[place] for place in places if place[0] == group})
    except KafkaError as error:
        raise broken(settings.brokers, error) from error
    return manifest


def _parted(place: str) -> tuple[str, int]:
    topic, _, partition = place.rpartition("/")
    return topic, int(partition)


def _require_empty(settings: Settings) -> None:
    reader = consumer(settings)
    try:
        for topic in ALL:
            name = settings.topic(topic.name)
            parts = [TopicPartition(name, number) for number in range(settings.partitions)]
            if any(reader.end_offsets(parts).values()):
                raise SettingsError(
                    f"topic {name} holds records already: restore into new topics, with another TOUCHLINE_TOPIC_PREFIX"
                    " or on another broker"
                )
    finally:
        reader.close()


def _fill(
    settings: Settings,
    folder: Path,
    topic: str,
    places: dict[tuple[str, str, int], int],
    passed: Counter[tuple[str, str, int]],
) -> None:
    sender = producer(
        settings, "touchline-restore", enable_idempotence=bool(settings.idempotent_producer), linger_ms=20,
        batch_size=128 * 1024, max_request_size=4 * 1024 * 1024,
    )  # fmt: skip
    groups: dict[int, list[tuple[str, str, int]]] = defaultdict(list)
    for place in places:
        if place[1] == topic:
            groups[place[2]].append(place)
    confirmed = ConfirmedSender(sender, _PENDING)
    try:
        for partition, offset, timestamp, key, value, headers in _lines(file_of(folder, topic)):
            for place in groups[partition]:
                passed[place] += offset < places[place]
            confirmed.send(
                settings.topic(topic), key=_bytes(key), value=_bytes(value), partition=partition,
                timestamp_ms=timestamp, headers=[(name, _bytes(text) or b"") for name, text in headers],
            )  # fmt: skip
        confirmed.confirm()
    finally:
        close_producer(sender, 5)


def _commit(settings: Settings, group: str, offsets: dict[tuple[str, int], int]) -> None:
    if not offsets:
        return
    committing = group_consumer(settings, settings.topic(group))
    try:
        parts = {
            TopicPartition(settings.topic(topic), partition): OffsetAndMetadata(offset, "", -1)
            for (topic, partition), offset in offsets.items()
        }
        committing.assign(list(parts))
        committing.commit(parts)
    finally:
        committing.close(autocommit=False)


def _lines(path: Path) -> Iterator[list[Any]]:
    try:
        with gzip.open(path, "rt") as file:
            yield from map(json.loads, file)
    except (OSError, EOFError, ValueError) as error:
        raise TouchlineError(f"{path} cannot be read ({error}): take another backup") from error


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else b64decode(text)
