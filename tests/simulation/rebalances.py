"""What a group of many workers does when one is lost or joins: `python -m tests.simulation.rebalances --workers 100`.

The assignors are the real ones, Faust's and Touchline's, with the bytes that members send each other; time is a model:

- a killed worker is noticed after the session timeout, one that ends itself at once;
- then every member hears of it with its next heartbeat, and gives its partitions back;
- a worker that gets a partition reads its changelogs before any of its partitions goes on (Faust's recovery), at the
  measured cost of a profile (`python -m tests.benchmarks.growth --only recovery`).

Three ways to keep state: by Faust's assignor and by Touchline's, both in memory, and with local state, where a worker
that starts again within the session timeout finds its partitions' state on its disk and reads what came since its last
snapshot. A lost disk is a lost state: then the third is the second.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from typing import Annotated, Any, Final
from unittest.mock import MagicMock

import typer
from faust.assignor.partition_assignor import PartitionAssignor

from deploy.cli.output import print_json, print_table
from deploy.sizing.model import RECOVERY_US
from schemas import topics
from schemas.topics import MAX_MESSAGE_BYTES
from streams.runtime.app import HEARTBEAT_SECONDS
from streams.runtime.assignor import StableAssignor

CHANGELOGS: Final = tuple(
    topic.name
    for topic in (
        topics.STITCH_CHANGELOG, topics.IDENTITY_CHANGELOG, topics.JOURNEYS_CHANGELOG, topics.ACCOUNTS_CHANGELOG,
    )
)  # fmt: skip
INPUTS: Final = tuple(
    topic.name
    for topic in (
        topics.TOUCHPOINTS, topics.IDENTITY_LINKS, topics.IDENTITY_ASSIGNMENTS, topics.JOURNEY_INPUTS,
        topics.ACCOUNT_INPUTS,
    )
)  # fmt: skip
SESSION_SECONDS: Final = 10.0  #: TOUCHLINE_SESSION_TIMEOUT
SNAPSHOT_SECONDS: Final = 60.0  #: of the model: how old a snapshot on a disk is when its worker dies


@dataclass(frozen=True)
class Change:
    """What one change of members did."""

    moved: int  #: partitions that another worker has now, or nobody had
    needed: int  #: how many had to move at least, for balance
    stopped: int  #: workers that got a partition, and stand still until it is restored
    record_bytes: int  #: what Kafka must store of the group, in one record
    restore: float  #: partitions that the busiest of these workers restores

    def seconds(self, profiles_each: float, *, noticed: float = SESSION_SECONDS, read: float = 1.0) -> float:
        """From the change until everything goes on. `read` is the share of a partition's changelog that is read."""
        return noticed + HEARTBEAT_SECONDS + self.restore * profiles_each * RECOVERY_US.value / 1e6 * read


class Fleet:
    """The members of a worker group, each with its assignor."""

    def __init__(
        self, assignor: type[PartitionAssignor], workers: int, partitions: int, replicas: int = 0
    ) -> None:
        self._kind, self._partitions, self._made, self._replicas = assignor, partitions, 0, replicas
        self.members: dict[str, Any] = {}
        for _ in range(workers):
            self._add()
        self.rebalance()

    def owners(self) -> dict[int, str]:
        """Partition → its worker."""
        return {
            tp.partition: name
            for name, member in self.members.items()
            for tp in member.assigned_actives()
            if tp.topic == INPUTS[0]
        }

    def lose(self, name: str) -> Change:
        """A worker is gone."""
        before = self.owners()
        del self.members[name]
        return self._changed(before)

    def join(self) -> Change:
        """A new worker comes."""
        before = self.owners()
        self._add()
        return self._changed(before)

    def _add(self) -> None:
        self._made += 1
        name = f"worker-{self._made:04}"
        tables = SimpleNamespace(data={}, changelog_topics={*CHANGELOGS})
        app = SimpleNamespace(
            tables=tables, tracer=None, sensors=MagicMock(), settings=SimpleNamespace(standby_replicas=self._replicas),
            conf=SimpleNamespace(canonical_url=f"http://touchline-{name}:6066"),
        )  # fmt: skip
        self.members[name] = self._kind(app, replicas=0)

    def _changed(self, before: Mapping[int, str]) -> Change:
        size = self.rebalance()
        after = self.owners()
        assert len(after) == self._partitions, "a partition has no worker"
        moved = [partition for partition, name in after.items() if before.get(partition) != name]
        got = [after[partition] for partition in moved]
        return Change(
            len(moved), needed(before, self.members, self._partitions), len({*got}), size,
            max(map(got.count, got), default=0),
        )  # fmt: skip

    def rebalance(self) -> int:
        """One round of the group's protocol. Returns the bytes of what its members said and were told."""
        cluster = SimpleNamespace(partitions_for_topic=lambda _: set(range(self._partitions)))
        said = {name: one.metadata({*INPUTS, *CHANGELOGS}) for name, one in self.members.items()}
        told = next(iter(self.members.values())).assign(cluster, said)
        for name, member in self.members.items():
            member.on_assignment(told[name])
        return sum(len(each.encode()) for each in (*said.values(), *told.values()))


def needed(before: Mapping[int, str], members: Iterable[str], partitions: int) -> int:
    """How many partitions must change hands so that no member has two more than another."""
    held = [sum(owner == name for owner in before.values()) for name in members]
    least, more = divmod(partitions, len(held))
    return (
        partitions
        - sum(min(count, least) for count in held)
        - min(more, sum(count > least for count in held))
    )


def changes(fleet: Fleet, count: int, seed: int) -> list[Change]:
    """Workers are lost, each drawn at random, and after each loss another one joins."""
    random = Random(seed)
    found = []
    for _ in range(count):
        found += [fleet.lose(random.choice(sorted(fleet.members))), fleet.join()]
    return found


def command(
    workers: Annotated[int, typer.Option(min=2)] = 100,
    partitions: Annotated[int, typer.Option(min=1)] = 256,
    profiles: Annotated[int, typer.Option(help="Profiles of the whole deployment.")] = 10_000_000,
    count: Annotated[int, typer.Option(help="How many are lost, and how many join.")] = 3,
    seed: int = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Print what a change of members costs."""
    each = profiles / partitions
    tail = min(1.0, SNAPSHOT_SECONDS / 86_400)  # a day's changelog is what compaction may leave
    rows = []
    for title, kind in (("Faust's", PartitionAssignor), ("Touchline's", StableAssignor)):
        found = changes(Fleet(kind, workers, partitions), count, seed)
        lost = found[::2]
        figures: dict[str, Any] = {
            "assignor": title,
            "moved": sum(one.moved for one in found) / len(found),
            "needed": sum(one.needed for one in found) / len(found),
            "stopped workers": sum(one.stopped for one in found) / len(found),
            "group's record KiB": max(one.record_bytes for one in found) / 1024,
            "record fits": max(one.record_bytes for one in found) <= MAX_MESSAGE_BYTES,
            "s after kill": max(one.seconds(each) for one in lost),
            "s after stop": max(one.seconds(each, noticed=0) for one in lost),
            "s with local state": Change(0, 0, 1, 0, partitions / workers).seconds(
                each, noticed=0, read=tail
            ),
        }
        if as_json:
            print_json(figures)
        rows.append([f"{value:,.1f}" if isinstance(value, float) else value for value in figures.values()])
    if not as_json:
        title = (
            f"{workers} workers, {partitions} partitions, {profiles:,} profiles; means of {2 * count} changes"
        )
        print_table(tuple(figures), rows, title)


if __name__ == "__main__":
    typer.run(command)
