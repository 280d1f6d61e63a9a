"""A typed touchpoint, and the one way from what a program passes to what `touchline publish` would read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from typing import Any, Final, Literal, TypeAlias

from schemas.errors import ContractError, Reason
from schemas.records import Touchpoint as Record
from schemas.touchpoint.intake import read_touchpoint

#: ISO 8601, UTC milliseconds, or a datetime with a time zone.
Moment: TypeAlias = datetime | str | int
Decision: TypeAlias = Literal["granted", "denied", "revoked"]
#: Identifier type → value or values.
Identifiers: TypeAlias = Mapping[str, str | int | Sequence[str | int]]


@dataclass(frozen=True, slots=True)
class Score:
    """A survey answer: nps 0-10, csat 1-5, ces 1-7."""

    kind: Literal["nps", "csat", "ces"]
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Touchpoint:
    """One contact between a person and the company; the fields are those of schemas/avro/Touchpoint.avsc.

    `event_id` names the event within its source for ever: the same event sent again must have the same one.
    """

    event_id: str
    occurred_at: Moment
    source: str
    channel: str
    type: str
    identifiers: Identifiers
    tenant: str = "default"
    received_at: Moment | None = None  #: now, unless it was received earlier
    account_id: str | None = None
    session_id: str | None = None
    issue_id: str | None = None
    order_id: str | None = None
    campaign: str | None = None
    amount_minor: int | None = None  #: minor units of the currency: cents of EUR
    currency: str | None = None
    sentiment: float | None = None  #: -1 (worst) to 1 (best)
    score: Score | None = None
    consent: Mapping[str, Decision] = field(default_factory=dict)
    experiments: Mapping[str, str] = field(default_factory=dict)
    link: Literal["OBSERVED", "ASSERTED"] = "OBSERVED"
    attributes: Mapping[str, str | int | float | bool] = field(default_factory=dict)


#: What a Publisher takes: a Touchpoint, its JSON form as a mapping, or JSON text.
Publishable: TypeAlias = Touchpoint | Mapping[str, Any] | str | bytes

_NAMES: Final = tuple(item.name for item in fields(Touchpoint))


def read(touchpoint: Publishable, now_ms: int) -> Record:
    """The record of what a program passes. `now_ms` is `received_at` unless an earlier time is given.

    Everything becomes JSON text first, so a mapping and a Touchpoint get the verdict that `touchline publish` gives
    their JSON. Raises ContractError, and only that, whatever is passed.
    """
    if isinstance(touchpoint, str | bytes):
        return read_touchpoint(touchpoint, now_ms)
    if isinstance(touchpoint, Touchpoint):
        form = {name: getattr(touchpoint, name) for name in _NAMES}
    elif isinstance(touchpoint, Mapping):
        form = dict(touchpoint)
    else:
        raise _invalid(
            f"{type(touchpoint).__name__} is no touchpoint: pass a Touchpoint, a mapping or JSON text"
        )
    try:
        text = json.dumps(form, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise _invalid(f"it has no JSON form: {error}") from error
    return read_touchpoint(text, now_ms)


def _plain(value: object) -> object:
    """The JSON form of what json does not know."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise _invalid(f"the time {value} has no time zone: use datetime.now(UTC), or write ISO 8601")
        return value.isoformat()
    if isinstance(value, Score):
        return {"kind": value.kind, "value": value.value}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | set | frozenset) and not isinstance(
        value, bytes | bytearray | memoryview
    ):
        return list(value) if isinstance(value, Sequence) else sorted(value, key=str)
    kind = "date without a time" if isinstance(value, date) else type(value).__name__
    raise _invalid(f"a value is a {kind}: use text, numbers, true or false, or a datetime with a time zone")


def _invalid(message: str) -> ContractError:
    return ContractError(Reason.INVALID, message)
