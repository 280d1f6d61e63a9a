"""A consumer group over a log in memory: members that crash, come back with or without their store, and rebalance."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st

from deploy.sdk.subscribe.kinds import Kind
from deploy.sdk.subscribe.member import Member
from deploy.sdk.subscribe.versions import Versions
from schemas import topics
from schemas.encoding.record_types import JOURNEY_SIGNAL
from schemas.keys import profile_key
from tests.support.kafka_records import Consumed, signal
from tests.support.state_log import PARTITIONS, no_state, placed, state

MEMORY = 1 << 24


class Group:
    """`told` has every change that was delivered, in the order of time, by whatever member."""

    def __init__(self, kind: Kind[Any], log: list[Consumed], now: float = 1e9) -> None:
        self.kind = kind
        self.logs = {number: [one for one in log if one.partition == number] for number in range(PARTITIONS)}
        self.ends = dict.fromkeys(range(PARTITIONS), 0)  #: what has been written so far
        self.committed: dict[int, int] = {}
        self.told: list[Any] = []
        self.now = now
        self.stores: list[Versions] = []
        self.members: list[Member[Any]] = []
        self.positions: dict[int, int] = {}
        self.owner: dict[int, int] = {}
        self.disturbed = False  #: whether anything happened that may repeat what was told

    def join(self) -> None:
        self.stores.append(Versions.in_memory(MEMORY))
        self.members.append(self._member(len(self.members)))
        self.rebalance(range(len(self.members)))

    def _member(self, number: int) -> Member[Any]:
        return Member(self.kind, self.stores[number], lambda: self.now)

    def write(self, partition: int, count: int) -> None:
        self.ends[partition] = min(self.ends[partition] + count, self._length(partition))

    def _length(self, partition: int) -> int:
        log = self.logs[partition]
        return log[-1].offset + 1 if log else 0

    def rebalance(self, owners: Iterable[int]) -> None:
        """Partitions go to members in turn; those that stay with theirs are revoked and assigned, too."""
        owners = list(owners)
        self.disturbed = True
        for partition in range(PARTITIONS):
            for member in self.members:
                member.drop(partition)
            self.owner[partition] = owners[partition % len(owners)]
            self._begin(partition)

    def _begin(self, partition: int) -> None:
        member = self.members[self.owner[partition]]
        log = self.logs[partition]
        start = log[0].offset if log else 0
        self.positions[partition] = member.begin(
            partition, self.committed.get(partition), min(start, self.ends[partition]), self.ends[partition],
            min(start, self.ends[partition]),
        )  # fmt: skip
        self.commit(self.owner[partition])

    def poll(self, partition: int, count: int) -> None:
        member = self.members[self.owner[partition]]
        at, end = self.positions[partition], self.ends[partition]
        records = [one for one in self.logs[partition] if at <= one.offset < end][:count]
        member.take(partition, records)
        self.positions[partition] = records[-1].offset + 1 if records else max(at, end)
        back = member.reached(partition, self.positions[partition], end)
        if back is not None:
            self.positions[partition] = back

    def work(self, partition: int, count: int) -> None:
        self.write(partition, count)
        self.poll(partition, count)

    def deliver(self, number: int, count: int) -> None:
        member = self.members[number % len(self.members)]
        for _ in range(count):
            change = member.next()
            if change is None:
                return
            self.told.append(change)
            member.done()

    def commit(self, number: int) -> None:
        member = self.members[number % len(self.members)]
        offsets = member.commits()
        self.committed |= offsets
        member.committed(offsets)

    def crash(self, number: int, *, loses_store: bool, between: bool) -> None:
        """A member is killed, perhaps after it told a change and before it noted that; it starts again at once."""
        number %= len(self.members)
        self.disturbed = True
        if between and (change := self.members[number].next()) is not None:
            self.told.append(change)
        if loses_store:
            self.stores[number] = Versions.in_memory(MEMORY)
        self.members[number] = self._member(number)
        for partition, owner in self.owner.items():
            if owner == number:
                self._begin(partition)

    def finish(self) -> None:
        """Everything is written, read, told and committed."""
        for partition in range(PARTITIONS):
            self.write(partition, 1 << 30)
            for _ in range(4):  # it may learn first, and then go back
                self.poll(partition, 100)
        for number in range(len(self.members)):
            self.deliver(number, 1 << 30)
            self.commit(number)


def raised(number: int, version: int, status: str = "RAISED") -> Consumed:
    value = JOURNEY_SIGNAL.encode(signal(f"s{number}", version, status) | {"profile_id": f"p{number}"})  # type: ignore[arg-type]
    return Consumed(value, profile_key("default", f"p{number}"), topic=topics.JOURNEY_SIGNALS.name)


def versions_of(told: Iterable[Any]) -> dict[str, list[tuple[int, bool]]]:
    """Profile or signal → version and whether it holds, as they were told."""
    found: defaultdict[str, list[tuple[int, bool]]] = defaultdict(list)
    for change in told:
        if hasattr(change, "signal"):
            found[change.signal_id].append((change.signal["version"], change.raised))
        else:
            found[f"{change.tenant}/{change.profile_id}"].append((change.version, not change.erased))
    return dict(found)


_names, _versions = st.sampled_from("abc"), st.integers(0, 5)
state_logs = st.lists(
    st.one_of(st.builds(state, _names, _versions), st.builds(no_state, _names, _versions)),
    min_size=6,
    max_size=25,
).map(placed)
signal_logs = st.lists(
    st.builds(raised, st.integers(0, 2), _versions, st.sampled_from(["RAISED", "RETRACTED"])),
    min_size=6,
    max_size=25,
).map(placed)
_number, _count = st.integers(0, 3), st.integers(1, 8)
_partition = st.integers(0, PARTITIONS - 1)
_tell = st.tuples(st.just("deliver"), _number, _count)
_commit = st.tuples(st.just("commit"), _number)
_work = st.tuples(st.just("work"), _partition, _count)
calm = st.one_of(st.tuples(st.just("write"), _partition, _count), _work, _tell, _commit)
#: Most steps make progress, so that crashes meet members that have told a part.
stormy = st.one_of(
    _work,
    _tell,
    _commit,
    st.tuples(st.just("crash"), _number, st.booleans(), st.booleans()),
    st.tuples(st.just("rebalance"), st.lists(_number, min_size=1, max_size=3)),
    st.tuples(st.just("join")),
)


def play(group: Group, steps: Iterable[tuple[Any, ...]]) -> None:
    for name, *arguments in steps:
        if name == "crash":
            group.crash(arguments[0], loses_store=arguments[1], between=arguments[2])
        elif name == "rebalance":
            group.rebalance([number % len(group.members) for number in arguments[0]])
        elif name == "join":
            if len(group.members) < 3:
                group.join()
        else:
            getattr(group, name)(*arguments)
