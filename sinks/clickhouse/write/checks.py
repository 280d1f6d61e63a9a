"""Checks records of internal topics by the rules of schemas/internal.py, as the agents do that read the same topics.

A record that an agent rejects must not get into ClickHouse, or the two would tell different stories. The agent writes
the dead letter: LeftToAgentError says that no second one is needed.
"""

from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from schemas import topics
from schemas.consumed import KafkaRecord
from schemas.encoding.codec import HEADER_BYTES, long_bytes, skip_string, take_long
from schemas.encoding.splicing import VERSION_IN
from schemas.errors import ContractError
from schemas.internal import COUNTED_BY, check_internal, check_tombstone, is_internal
from schemas.keys import is_uuid, partition_of
from schemas.topics import Topic
from schemas.touchpoint.rules import EARLIEST_MS, LATEST_MS
from schemas.version_bounds import AheadError, VersionBounds
from sinks.clickhouse.erasure.barrier import Positions

_AGENTS: Final = {"stitch", "identity", "journeys", "accounts"}
#: Between two looks at the ends: forged versions must not cost one each.
_LOOK_SECONDS: Final = 1.0


class LeftToAgentError(ContractError):
    """A record that an agent rejects, too. Response: leave it out; the agent writes its dead letter."""


class Checks:
    """What the loader asks of records on internal topics; for one thread at a time.

    `positions` says where the groups and the ends are. Every method may raise its UnavailableError.
    """

    def __init__(
        self, positions: Callable[[], Positions], epoch: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self._positions = positions
        self._epoch = epoch
        self._clock = clock
        self._bounds: VersionBounds | None = None
        self._looked_at = float("-inf")

    def check(self, name: str, body: Any, record: KafkaRecord) -> None:
        """Raise ContractError if a decoded record breaks a rule."""
        if is_internal(name):
            self._checked(lambda bounds: check_internal(name, body, record, bounds))

    def check_tombstone(self, topic: Topic, record: KafkaRecord, version: int) -> None:
        """Raise ContractError unless Touchline can have published a tombstone with this version."""
        self._checked(lambda bounds: check_tombstone(topic, record, version, bounds))

    def certain(self, name: str, record: KafkaRecord) -> bool:
        """Whether a record has the key, version and times that it must have, by its first bytes.

        It need not be decoded for that. A state may supersede others only if this holds.
        """
        key = record.key or b""
        try:
            fits, version = _BEGINNING[name](record.value or b"", key)
        except IndexError:
            return False
        return fits and self._exists(_COUNTED[name], record, version)

    def certain_tombstone(self, topic: Topic, record: KafkaRecord, version: int) -> bool:
        """The same for a tombstone of a state."""
        return self._exists((COUNTED_BY[topic.name], False), record, version)

    def _exists(self, counted: tuple[Topic, bool], record: KafkaRecord, version: int) -> bool:
        topic, by_tenant = counted
        key = record.key or b""
        bounds = self._bounds or self._look()
        return version < bounds.limit(topic, key.partition(b"/")[0] if by_tenant else key) and (
            partition_of(key, bounds.partitions) == record.partition
        )

    def _checked(self, check: Callable[[VersionBounds], None]) -> None:
        try:
            check(self._bounds or self._look())
        except AheadError:
            if self._clock() - self._looked_at < _LOOK_SECONDS:
                raise
            check(self._look())

    def _look(self) -> VersionBounds:
        found = {place: at.end for group in self._positions().values() for place, at in group.items()}
        partitions = sum(1 for name, _ in found if name == topics.JOURNEY_INPUTS.name)
        bounds = self._bounds or VersionBounds(self._epoch, partitions)
        bounds.learn(found)
        self._bounds, self._looked_at = bounds, self._clock()
        return bounds


def rejected(topic: Topic, error: ContractError) -> ContractError:
    """The error of a record on `topic` as the loader must treat it."""
    return LeftToAgentError(error.reason, str(error)) if _AGENTS & set(topic.read_by) else error


def _resolved(value: bytes, key: bytes) -> tuple[bool, int]:
    """Whether times and key are as they must be, and the version."""
    profile = skip_string(value, skip_string(value, HEADER_BYTES))
    after = skip_string(value, profile)
    version, tenant = take_long(value, after)
    end = skip_string(value, tenant)
    occurred_at, at = take_long(value, skip_string(value, end))
    received_at, _ = take_long(value, at)
    possible = EARLIEST_MS <= occurred_at <= LATEST_MS and EARLIEST_MS <= received_at <= LATEST_MS
    owner, _, profile_id = key.partition(b"/")
    mine = value[profile:after] == _string(profile_id) and value[tenant:end] == _string(owner)
    return possible and mine and _names_profile(profile_id) and version >= -1, version


def _journey_state(value: bytes, key: bytes) -> tuple[bool, int]:
    at = VERSION_IN["JourneyState"](value)
    tenant, _, profile_id = key.partition(b"/")
    version, _ = take_long(value, at)
    mine = value[HEADER_BYTES:at] == _string(tenant) + _string(profile_id)
    return version >= 0 and mine and _names_profile(profile_id), version


def _names_profile(raw: bytes) -> bool:
    return raw.isascii() and is_uuid(raw.decode())


def _string(raw: bytes) -> bytes:
    return long_bytes(len(raw)) + raw


_BEGINNING: Final[dict[str, Callable[[bytes, bytes], tuple[bool, int]]]] = {
    "ResolvedTouchpoint": _resolved,
    "JourneyState": _journey_state,
}
#: The topic whose offsets are the versions, and whether in the partition of the tenant.
_COUNTED: Final = {
    "ResolvedTouchpoint": (topics.IDENTITY_LINKS, True),
    "JourneyState": (topics.JOURNEY_INPUTS, False),
}
