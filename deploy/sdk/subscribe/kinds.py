"""What each public topic's records are about: the key that versions belong to, and the change that a record makes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

from deploy.sdk.subscribe.changes import AccountChange, ProfileChange, SignalChange, StateChange
from schemas import topics
from schemas.consumed import KafkaRecord
from schemas.encoding.record_types import (
    ACCOUNT_STATE,
    JOURNEY_SIGNAL,
    JOURNEY_STATE,
    PROFILE_CHANGED,
    RecordType,
)
from schemas.errors import ContractError, Reason
from schemas.headers import tombstone_version
from schemas.topics import TOMBSTONE_MS, Topic

C = TypeVar("C")

#: Marks of a known version: what was told last. Of equal versions another mark is another change.
HOLDS: Final = 0
GONE: Final = 1


class Reading(NamedTuple, Generic[C]):
    """A record that was read."""

    key: bytes  #: what has versions: a profile, an account, a signal, a change
    version: int
    mark: int
    change: Callable[[str], C]  #: idempotency key → the change


@dataclass(frozen=True)
class Kind(Generic[C]):
    """A topic that can be subscribed to."""

    topic: Topic
    read: Callable[[KafkaRecord], Reading[C]]  #: raises ContractError
    gone: Callable[[str, str, int, str], C] | None = None  #: tenant, name, version, id → the end of a key

    @property
    def forget_ms(self) -> int:
        """After so long nothing of this topic comes again, so a version that stands for nothing may be forgotten."""
        return 2 * (self.topic.retention_ms or TOMBSTONE_MS)


def change_id(name: str, version: int, turn: int) -> str:
    """The idempotency key of a change. `turn` counts changes of one version: raised and retracted at one moment."""
    return f"{name}:{version}" + (f".{turn}" if turn else "")


def parts(key: bytes) -> tuple[str, str]:
    """Tenant and name of a Kafka key. Raises ContractError."""
    tenant, slash, name = key.decode(errors="replace").partition("/")
    if not (tenant and slash and name):
        raise ContractError(Reason.INVALID, f"a key that names nothing: {key[:80]!r}")
    return tenant, name


def _compacted(
    record: KafkaRecord, type_: RecordType[Any], name: str, change: Callable[[str, str, int, Any, str], C]
) -> Reading[C]:
    key = record.key or b""
    tenant, named = parts(key)
    if record.value is None:
        version = tombstone_version(record)
        if version is None:
            raise ContractError(Reason.INVALID, "a tombstone without a version: Touchline publishes none")
        return Reading(key, version, GONE, lambda id_: change(tenant, named, version, None, id_))
    state = type_.decode(record.value)
    if (state["tenant"], state[name]) != (tenant, named):
        raise ContractError(Reason.INVALID, f"its key is {key[:80]!r}, but its value is about another")
    return Reading(
        key, state["version"], HOLDS, lambda id_: change(tenant, named, state["version"], state, id_)
    )


def _state(record: KafkaRecord) -> Reading[StateChange]:
    return _compacted(record, JOURNEY_STATE, "profile_id", _state_change)


def _account(record: KafkaRecord) -> Reading[AccountChange]:
    return _compacted(record, ACCOUNT_STATE, "account_id", _account_change)


def _state_change(tenant: str, name: str, version: int, state: Any, id_: str) -> StateChange:
    return StateChange(id_, tenant, name, version, state)


def _account_change(tenant: str, name: str, version: int, state: Any, id_: str) -> AccountChange:
    return AccountChange(id_, tenant, name, version, state)


def _signal(record: KafkaRecord) -> Reading[SignalChange]:
    signal = JOURNEY_SIGNAL.decode(record.value)
    mark = HOLDS if signal["status"] == "RAISED" else GONE
    return Reading(
        signal["signal_id"].encode(), signal["version"], mark, lambda id_: SignalChange(id_, signal)
    )


def _changed(record: KafkaRecord) -> Reading[ProfileChange]:
    change = PROFILE_CHANGED.decode(record.value)
    return Reading(
        change["change_id"].encode(), change["version"], HOLDS, lambda id_: ProfileChange(id_, change)
    )


STATES: Final = Kind[StateChange](
    topics.JOURNEY_STATES,
    _state,
    lambda tenant, name, version, id_: StateChange(id_, tenant, name, version, None),
)
ACCOUNTS: Final = Kind[AccountChange](
    topics.ACCOUNT_STATES,
    _account,
    lambda tenant, name, version, id_: AccountChange(id_, tenant, name, version, None),
)
SIGNALS: Final = Kind[SignalChange](topics.JOURNEY_SIGNALS, _signal)
CHANGES: Final = Kind[ProfileChange](topics.PROFILE_CHANGES, _changed)
KINDS: Final[Mapping[str, Kind[Any]]] = {
    kind.topic.name: kind for kind in (STATES, ACCOUNTS, SIGNALS, CHANGES)
}
