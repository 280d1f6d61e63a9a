"""Which versions can exist: a version from the future would hide for ever what is published later."""

from collections.abc import Mapping
from typing import Final

from schemas.errors import ContractError, Reason
from schemas.keys import partition_of
from schemas.topics import Topic

#: How far a version may be ahead of the end that is known. The known end need not be new then: within so many records
#: nobody asks the broker again. A forged version within it wins until the topic has grown by as many records.
VERSION_SLACK: Final = 1 << 20


class AheadError(ContractError):
    """A version is beyond the known end of its topic. Response: ask for the end once more, and reject it then."""


class VersionBounds:
    """The versions that can exist: offsets of the input topics, below their ends as far as they are known.

    `epoch` is TOUCHLINE_EPOCH, `partitions` how many partitions each topic has.
    """

    __slots__ = ("_base", "_ends", "partitions")

    def __init__(self, epoch: int, partitions: int) -> None:
        self._base = epoch << 48
        self.partitions = partitions
        self._ends: dict[tuple[str, int], int] = {}

    def learn(self, ends: Mapping[tuple[str, int], int]) -> None:
        """Note ends: topic (without the deployment's prefix) and partition → the offset after the last record."""
        for place, end in ends.items():
            self._ends[place] = max(end, self._ends.get(place, 0))

    def check(self, topic: Topic, key: bytes, version: int, least: int = 0) -> None:
        """Raise ContractError unless `version` may be that of a decision on a record of `topic` with this key."""
        if version < least:
            raise ContractError(Reason.INVALID, f"its version {version} is below {least}")
        if version >= self.limit(topic, key):
            raise AheadError(
                Reason.INVALID,
                f"its version {version} is from the future, beyond the end of {topic.name}; if topics were made anew,"
                " raise TOUCHLINE_EPOCH",
            )

    def limit(self, topic: Topic, key: bytes) -> int:
        """The first version that cannot exist yet of decisions on records of `topic` with this key."""
        return (
            self._base + self._ends.get((topic.name, partition_of(key, self.partitions)), 0) + VERSION_SLACK
        )
