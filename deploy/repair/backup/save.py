"""Saves every topic in a folder while the deployment runs.

The order makes it consistent. First come the offsets that consumer groups have committed, then the changelogs, then all
other topics against the flow: states before their inputs, touchpoints last. So the causes of whatever is saved are
saved as well, and so is what a state has published. It is what a crash of all workers could have left: what they had
not committed is read again.
"""

import gzip
import hashlib
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from kafka import TopicPartition

from deploy.kafka_admin.client import admin
from deploy.kafka_admin.lag import committed_offsets
from deploy.kafka_admin.topics import partition_counts
from deploy.repair.dead_letters.reading import records
from schemas.errors import SettingsError
from schemas.settings import Settings
from schemas.topics import ALL, WEBHOOKS_GROUP, WORKER_GROUP, Topic

FORMAT: Final = 1
MANIFEST: Final = "manifest.json"
#: The loader's offsets are not saved: ClickHouse may come back older or newer, and loading twice changes nothing.
GROUPS: Final = (WORKER_GROUP, WEBHOOKS_GROUP)


@dataclass(frozen=True)
class SavedTopic:
    """One file."""

    records: int
    sha256: str


@dataclass
class Manifest:
    """What a folder holds. It is written last: a folder without it is no backup."""

    release: str
    partitions: int
    epoch: int
    taken_at: int  #: UTC ms
    topics: dict[str, SavedTopic] = field(default_factory=dict)
    #: group → "topic/partition" → the offset that it read next
    committed: dict[str, dict[str, int]] = field(default_factory=dict)
    format: int = FORMAT

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """The manifest in a folder. Raises SettingsError if it holds no backup, or one of another format."""
        try:
            found = json.loads((folder / MANIFEST).read_text())
            if found["format"] != FORMAT:
                raise SettingsError(
                    f"{folder} has format {found['format']}, and this release reads format {FORMAT}"
                )
            topics = {name: SavedTopic(**one) for name, one in found.pop("topics").items()}
            return cls(**found, topics=topics)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SettingsError(
                f"{folder} holds no whole backup ({error}): name a folder that backup made"
            ) from error


def file_of(folder: Path, topic: str) -> Path:
    """The file of a topic."""
    return folder / f"{topic}.jsonl.gz"


def save(settings: Settings, folder: Path, now: int, progress: Callable[[str, int], None]) -> Manifest:
    """Save all topics in a new folder. `progress` gets each topic with its number of records.

    Raises SettingsError if the folder exists or topics are missing, UnavailableError if the broker does not answer.
    """
    with admin(settings) as client:
        counts = partition_counts(client, settings)
        missing = [topic.name for topic in ALL if settings.topic(topic.name) not in counts]
        if missing:
            raise SettingsError(f"topics are missing ({', '.join(missing)}): run `touchline topics` first")
        manifest = Manifest(version("touchline"), settings.partitions, settings.epoch, now)
        for group in GROUPS:
            manifest.committed[group] = _committed(client, settings, group, counts)
    try:
        folder.mkdir(parents=True, mode=0o700)
    except FileExistsError as error:
        raise SettingsError(f"{folder} exists: name a new folder for each backup") from error
    for topic in in_order():
        manifest.topics[topic.name] = _save(settings, topic, folder)
        progress(topic.name, manifest.topics[topic.name].records)
    unfinished = folder / f"{MANIFEST}.new"
    unfinished.write_text(json.dumps(asdict(manifest), indent=1) + "\n")
    unfinished.replace(folder / MANIFEST)
    return manifest


def in_order() -> list[Topic]:
    """All topics, those first whose records have their causes in later ones; changelogs before all."""
    against_the_flow = reversed(ALL)
    return sorted(against_the_flow, key=lambda topic: not topic.name.endswith("-changelog"))


def _committed(client: Any, settings: Settings, group: str, counts: dict[str, int]) -> dict[str, int]:
    names = {settings.topic(topic.name): topic.name for topic in ALL}
    parts = [TopicPartition(full, number) for full in names for number in range(counts[full])]
    found = committed_offsets(client, settings.topic(group), parts)
    return {f"{names[tp.topic]}/{tp.partition}": offset for tp, offset in found.items()}


def _save(settings: Settings, topic: Topic, folder: Path) -> SavedTopic:
    path, count = file_of(folder, topic.name), 0
    with gzip.open(path, "wt", compresslevel=3) as file:
        for record in records(settings, settings.topic(topic.name)):
            json.dump(_line(record), file, separators=(",", ":"))
            file.write("\n")
            count += 1
    return SavedTopic(count, digest(path))


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _line(record: Any) -> list[Any]:
    headers = [[name, _text(value)] for name, value in record.headers or ()]
    return [
        record.partition, record.offset, record.timestamp, _text(record.key), _text(record.value), headers
    ]  # fmt: skip


def _text(value: bytes | None) -> str | None:
    return None if value is None else b64encode(value).decode()
