"""Records of the journey topics as notices: what happened to whom, for which endpoints."""

from collections.abc import Iterable, Iterator, Mapping

from schemas.consumed import KafkaRecord
from schemas.encoding.record_types import JOURNEY_SIGNAL, JOURNEY_STATE
from schemas.internal import check_internal
from schemas.records import JourneyState
from schemas.topics import JOURNEY_STATES
from schemas.version_bounds import VersionBounds
from sinks.subscribers.table.entries import read_entry
from sinks.webhooks.endpoints import Endpoint
from sinks.webhooks.message import Notice, kind_of_change
from sinks.webhooks.outbox import Outbox


def take_signal(
    outbox: Outbox, endpoints: Iterable[Endpoint], record: KafkaRecord, bounds: VersionBounds, now: int
) -> None:
    """Take a record of journey-signals. Raises ContractError if Touchline cannot have written it."""
    value = record.value or b""
    signal = JOURNEY_SIGNAL.decode(value)
    check_internal("JourneySignal", signal, record, bounds)
    notice = Notice(
        signal["tenant"], signal["profile_id"], signal["signal_id"], signal["kind"], signal["status"],
        signal["version"], record.timestamp, value,
    )  # fmt: skip
    for endpoint in endpoints:
        if endpoint.tenant == signal["tenant"] and endpoint.signals:
            outbox.take(notice, endpoint, wanted=endpoint.wants(signal), now=now)


def take_state(
    outbox: Outbox, endpoints: Iterable[Endpoint], record: KafkaRecord, bounds: VersionBounds, now: int
) -> None:
    """Take a record of journey-states: changes of the fields that endpoints ask for. Raises ContractError."""
    if record.value is None:
        end = read_entry(JOURNEY_STATES, record, bounds)
        outbox.gone(end.tenant, end.name, end.version, now)
        return
    state = JOURNEY_STATE.decode(record.value)
    check_internal("JourneyState", state, record, bounds)
    for endpoint in endpoints:
        if endpoint.tenant == state["tenant"]:
            for notice in _values(state, endpoint.changes, record.timestamp):
                chosen = not endpoint.values or notice.wanted in endpoint.values
                outbox.take(notice, endpoint, wanted=chosen, now=now)


def _values(state: JourneyState, fields: Iterable[str], timestamp: int) -> Iterator[Notice]:
    values: Mapping[str, object] = state
    for field in fields:
        yield Notice(
            state["tenant"], state["profile_id"], field, kind_of_change(field), str(values[field] or ""),
            state["version"], timestamp, b"",
        )  # fmt: skip
