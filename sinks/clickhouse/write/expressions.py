"""What rows.py makes of a record in Python, as SQL over the columns of avro_input.py: column → expression.

Only of the two records that come by the million. The same columns, in the same order: a test compares the names, and
another on the real engine the rows.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

from schemas.encoding.codec import HEADER_BYTES
from schemas.encoding.registry import current
from schemas.touchpoint.events import MAX_CHECKSUM
from sinks.clickhouse.values import EARLIEST, LATEST
from sinks.clickhouse.write.avro_file import END, END_BYTES, HEAD, PLACE, PLACE_BYTES
from sinks.clickhouse.write.avro_input import columns, symbols
from sinks.clickhouse.write.rows import TABLES

#: Name of the query's parameter: the Kafka topic.
TOPIC: Final = "topic"


def _moment(time: str) -> str:
    """As rows.moment. NULL stays NULL, which least and greatest would pass over."""
    return f"fromUnixTimestamp64Milli({_clamped(time)}, 'UTC')"


def _clamped(time: str) -> str:
    """UTC milliseconds that DateTime64(3) holds."""
    return f"multiIf({time} < {EARLIEST}, {EARLIEST}, {time} > {LATEST}, {LATEST}, {time})"


def _symbol(record: str, enum: str, number: str) -> str:
    """The name of an enum's symbol; that there is one is checked (avro_input.py)."""
    names = ", ".join(f"'{symbol}'" for symbol in symbols(current()[record], f"touchline.{enum}"))
    return f"[{names}][{number} + 1]"


def _values(expression: str, of: str) -> str:
    """A map with the same keys; the value is called v."""
    return f"mapFromArrays(mapKeys({of}), arrayMap(v -> {expression}, mapValues({of})))"


def _tuples(of: str, *parts: str) -> str:
    """An array of tuples; the item is called i."""
    return f"arrayMap(i -> tuple({', '.join(parts)}), {of})"


def _same(*names: str) -> dict[str, str]:
    return {name: f"`{name}`" for name in names}


_ORIGIN: Final = {
    "source_topic": f"{{{TOPIC}:String}}",
    "source_partition": f"reinterpretAsInt32(substring({PLACE}, 9, 4))",
    "source_offset": f"reinterpretAsUInt64(substring({PLACE}, 1, 8))",
}
_CHECKSUM: Final = f"reinterpretAsUInt64(substring({PLACE}, 13, 8))"

_T: Final = "ResolvedTouchpoint"
_TOUCHPOINT: Final = {
    "tenant": "`touchpoint.tenant`",
    "event_id": "`touchpoint.event_id`",
    "occurred_at": _moment("`touchpoint.occurred_at`"),
    "received_at": _moment("`touchpoint.received_at`"),
    "source": "`touchpoint.source`",
    "channel": "`touchpoint.channel`",
    "type": "`touchpoint.type`",
    "identifier_type": "`identifier.type`",
    "identifier_value": "`identifier.value`",
    "profile_id": "profile_id",
    "assignment_version": "`version`",
    "identifiers": "`touchpoint.identifiers`",
    "account_id": "`touchpoint.account_id.string`",
    "session_id": "`touchpoint.session_id.string`",
    "issue_id": "`touchpoint.issue_id.string`",
    "order_id": "`touchpoint.order_id.string`",
    "campaign": "`touchpoint.campaign.string`",
    "amount_minor": "`touchpoint.amount_minor.long`",
    "currency": "`touchpoint.currency.string`",
    "sentiment": "`touchpoint.sentiment.double`",
    "score_kind": f"ifNull({_symbol(_T, 'ScoreKind', '`touchpoint.score.Score.kind`')}, '')",
    "score_value": "`touchpoint.score.Score.value`",
    "consent": _values(_symbol(_T, "ConsentDecision", "v"), "`touchpoint.consent`"),
    "experiments": "`touchpoint.experiments`",
    "link": _symbol(_T, "LinkKind", "`touchpoint.link`"),
    "attributes": "`touchpoint.attributes`",
    "checksum": _CHECKSUM,
    "version": (
        f"bitShiftLeft(toUInt256({LATEST} - {_clamped('`touchpoint.received_at`')}), 128)"
        f" + bitShiftLeft(toUInt256({MAX_CHECKSUM} - {_CHECKSUM}), 64)"
        " + if(`version` < 0, toUInt256(0), toUInt256(`version`) + 1)"
    ),
    **_ORIGIN,
}

_J: Final = "JourneyState"
_JOURNEY: Final = {
    **_same("tenant", "profile_id", "state_hash"),
    "as_of": _moment("as_of"),
    "identifiers": "identifiers",
    "account_id": "`account_id.string`",
    **_same("touchpoints", "late"),
    "first_seen": _moment("first_seen"),
    "last_seen": _moment("last_seen"),
    "stage": "stage",
    "stage_since": _moment("stage_since"),
    "stages": _values(_moment("v"), "stages"),
    "components": _values(_moment("v"), "components"),
    "sessions": "sessions",
    "session_id": "`session.Session.session_id.string`",
    "session_started_at": _moment("`session.Session.started_at`"),
    "session_last_at": _moment("`session.Session.last_at`"),
    "session_touchpoints": "ifNull(`session.Session.touchpoints`, 0)",
    "channels": _values("v.touchpoints", "channels"),
    "channels_inbound": _values("v.inbound", "channels"),
    "channels_good": _values("v.good", "channels"),
    "channels_bad": _values("v.bad", "channels"),
    "channels_last_at": _values(_moment("v.last_at"), "channels"),
    "last_channel": "last_channel",
    "preferred_channel": "`preferred_channel.string`",
    **_same("channel_switches", "handoffs", "friction", "effort", "effort_answered", "ouch_moments", "wow_moments"),
    **{name: f"`{name}.double`" for name in ("sentiment", "sentiment_trend", "nps", "csat", "ces")},
    "open_issues": _tuples(
        "open_issues", "i.issue_id", _moment("i.opened_at"), _moment("i.due_at"), _moment("i.last_contact_at"),
        "i.contacts", "i.channels",
    ),
    **_same("issues_solved", "issues_first_contact"),
    "first_contact_resolution": "`first_contact_resolution.double`",
    "expectations": _tuples(
        "expectations", "i.kind", _moment("i.opened_at"), _moment("i.due_at"),
        _symbol(_J, "ExpectationStatus", "i.status"), "i.event_id", "ifNull(i.issue_id, '')",
    ),
    **_same("carts", "carts_met"),
    "consent": _values(_symbol(_J, "ConsentDecision", "v"), "consent"),
    **_same("orders", "orders_returned", "orders_cancelled", "revenue"),
    "first_campaign": "`first_campaign.string`",
    "last_campaign": "`last_campaign.string`",
    "marketing_touches": "marketing_touches",
    **{
        f"marketing_{which}_{name}": expression
        for which in ("first", "last")
        for name, expression in {
            "at": _moment(f"`marketing_{which}.MarketingTouch.occurred_at`"),
            "channel": f"`marketing_{which}.MarketingTouch.channel`",
            "type": f"`marketing_{which}.MarketingTouch.type`",
            "campaign": f"`marketing_{which}.MarketingTouch.campaign.string`",
        }.items()
    },
    "experiments": "experiments",
    "recent": _tuples("recent", "i.event_id", _moment("i.occurred_at"), "i.channel", "i.type"),
    "likely_next": "likely_next",
    "issue_risk": "`issue_risk.double`",
    "model_version": "`model_version.string`",
    "version": "if(`version` < 0, 0, toUInt64(`version`))",
    "is_deleted": "0",
    **_ORIGIN,
}  # fmt: skip

#: Record → the columns of its table (rows.TABLES).
EXPRESSIONS: Final[Mapping[str, Mapping[str, str]]] = {_T: _TOUCHPOINT, _J: _JOURNEY}


@cache
def statement(name: str, database: str) -> str:
    """The INSERT of a file of records `name`. Its data follow; it fails whole if one of them is not right."""
    read = columns(current()[name])
    declared = ", ".join((
        f"{PLACE} FixedString({PLACE_BYTES})", f"{HEAD} FixedString({HEADER_BYTES})",
        *(f"`{column.name}` {column.type}" for column in read), f"{END} FixedString({len(END_BYTES)})",
    ))  # fmt: skip
    checks = (f"{END} = unhex('{END_BYTES.hex()}')", *(check for column in read for check in column.checks))
    made = EXPRESSIONS[name]
    return (
        f"INSERT INTO {database}.{TABLES[name].name} ({', '.join(made)})"  # noqa: S608 (names of our own)
        f" SELECT {', '.join(made.values())} FROM input('{declared}')"
        f" WHERE throwIf(NOT ({' AND '.join(checks)}), 'not what the codec accepts') = 0 FORMAT Avro"
    )
