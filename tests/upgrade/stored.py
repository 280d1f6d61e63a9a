"""A release's stored sample: the records of every topic after a small varied run, and what was right then.

A sample is a folder named after its release: a JSON Lines file for each topic (compacted topics hold the newest
record of each key), the settings of its time, `release.json`, and `later.jsonl`, the touchpoints that come after it.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from schemas.catalogue import Catalogue
from schemas.encoding.codec import decode
from schemas.records import Touchpoint
from schemas.settings import Settings
from schemas.topics import IDENTITY_LINKS, TOUCHPOINTS, Topic
from schemas.touchpoint.json_form import from_json, to_json
from streams.identity.policy.load import load
from streams.identity.policy.policy import IdentityPolicy
from streams.journeys.rules.rules import JourneyRules
from streams.replay import Replay

FOLDER = Path(__file__).parent
#: What a user may have files of, as `Settings` names it; the built-in ones are frozen with the sample.
CONFIGURED = {
    "identity_policy": "identity.toml",
    "journey_rules": "journey.toml",
    "catalogue": "catalogue.toml",
}


@dataclass(frozen=True)
class Stored:
    """One record. It has the offset that it had unless something before it was compacted away."""

    partition: int
    key: bytes
    value: bytes | None
    headers: list[tuple[str, bytes]] = field(default_factory=list)

    @classmethod
    def of(cls, line: dict[str, Any]) -> "Stored":
        """Back from JSON."""
        headers = [(name, b64decode(value)) for name, value in line.get("headers", ())]
        value = None if line["value"] is None else b64decode(line["value"])
        return cls(line["partition"], line["key"].encode(), value, headers)

    def to_json(self) -> dict[str, Any]:
        """Keys are text; values are base64."""
        value = None if self.value is None else b64encode(self.value).decode()
        line = {"partition": self.partition, "key": self.key.decode(), "value": value}
        headers = [(name, b64encode(text).decode()) for name, text in self.headers]
        return {**line, "headers": headers} if headers else line


@dataclass(frozen=True)
class Sample:
    """The sample of one release."""

    folder: Path

    @property
    def release(self) -> str:
        """Which release wrote it."""
        return self.folder.name

    @cached_property
    def told(self) -> dict[str, Any]:
        """`release.json`: partitions, the pseudonym key, and the state hashes that were published."""
        found: dict[str, Any] = json.loads((self.folder / "release.json").read_text())
        return found

    def records(self, topic: Topic) -> list[Stored]:
        """The records of a topic; each partition's are in order. None of a topic that the release did not have."""
        if not (self.folder / f"{topic.name}.jsonl").exists():
            return []
        return [Stored.of(json.loads(line)) for line in self._lines(f"{topic.name}.jsonl")]

    def settings(self) -> dict[str, Any]:
        """The fields of `Settings` that the state rests on."""
        paths = {name: str(self.folder / file) for name, file in CONFIGURED.items()}
        return {"partitions": self.told["partitions"], "pseudonym_key": self.told["pseudonym_key"], **paths}

    @cached_property
    def policy(self) -> IdentityPolicy:
        """The identity policy of its time."""
        settings = Settings(**self.settings())
        return load(settings.identity_policy, settings.pseudonym_secret(), settings.pseudonym_key_id)

    @cached_property
    def catalogue(self) -> Catalogue:
        """The catalogue of its time."""
        return Catalogue.load(self.settings()["catalogue"])

    @cached_property
    def rules(self) -> JourneyRules:
        """The journey rules of its time."""
        return JourneyRules.load(self.settings()["journey_rules"])

    def earlier(self) -> Iterator[Touchpoint]:
        """The touchpoints behind the state, as they stand in Kafka."""
        for record in self.records(TOUCHPOINTS):
            yield decode(record.value)[1]  # type: ignore[misc]

    def replay(self) -> Replay:
        """What the present code makes of them and of the corrections, all at once."""
        replay = Replay(self.policy, self.catalogue, self.rules)
        for touchpoint in self.earlier():
            replay.add(touchpoint)
        for record in self.records(IDENTITY_LINKS):
            name, message = decode(record.value)
            if name == "IdentityCorrection":
                replay.correct(message)  # type: ignore[arg-type]
        return replay

    def later(self) -> list[Touchpoint]:
        """The touchpoints that come after it."""
        return [from_json(json.loads(line), 0) for line in self._lines("later.jsonl")]

    def write(self, topic: Topic, records: Iterable[Stored]) -> None:
        """Store a topic."""
        self._write(f"{topic.name}.jsonl", (record.to_json() for record in records))

    def write_later(self, touchpoints: Iterable[Touchpoint]) -> None:
        """Store what comes after it."""
        self._write("later.jsonl", map(to_json, touchpoints))

    def _lines(self, name: str) -> list[str]:
        return (self.folder / name).read_text().splitlines()

    def _write(self, name: str, lines: Iterable[object]) -> None:
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
        (self.folder / name).write_text(text)


def samples() -> list[Sample]:
    """One for each release that stored state."""
    return [Sample(path.parent) for path in sorted(FOLDER.glob("*/release.json"))]


def compacted(records: Iterable[Stored]) -> list[Stored]:
    """What compaction leaves: the newest record of each key, where it stood."""
    newest: dict[tuple[int, bytes], Stored] = {}
    for record in records:
        newest.pop((record.partition, record.key), None)
        newest[record.partition, record.key] = record
    return list(newest.values())
