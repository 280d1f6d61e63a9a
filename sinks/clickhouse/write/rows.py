"""Records to ClickHouse rows: one function a record, whose keys are the table's columns (sinks/clickhouse/migrations/).

A missing text is '' and a missing number NULL. Numbers stay 64 bits wide and times are clamped to what
DateTime64 can hold, so that whatever the codec accepts, ClickHouse accepts too.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

from schemas.encoding.codec import HEADER_BYTES
from schemas.encoding.record_types import TOUCHPOINT
from schemas.records import Identifier, Record
from schemas.touchpoint.events import MAX_CHECKSUM, checksum
from sinks.clickhouse.values import LATEST, Row, moment

#: Version of a tombstone that does not say its own: above all that Touchline writes, so it always wins.
UNVERSIONED: Final = 1 << 63


class Source(NamedTuple):
    """The Kafka record that a row comes from."""

    topic: str
    partition: int
    offset: int
    value: bytes


class Table(NamedTuple):
    """Where the rows of a record go, and how they are made."""

    name: str
    row: Callable[[Record, Source], Row]


def touchpoint_row(record: Record, source: Source) -> Row:
    """ResolvedTouchpoint → touchpoints.

    Of copies with one owner and one time FINAL shows the one that counts (schemas/touchpoint/events.py), as it was
    stitched under the newest assignment. The view touchpoints_current chooses among the others.
    """
    touchpoint = record["touchpoint"]
    score = touchpoint["score"]
    check = checksum(TOUCHPOINT.encode(touchpoint)[HEADER_BYTES:])
    return {
        "tenant": touchpoint["tenant"],
        "event_id": touchpoint["event_id"],
        "occurred_at": moment(touchpoint["occurred_at"]),
        "received_at": moment(touchpoint["received_at"]),
        "source": touchpoint["source"],
        "channel": touchpoint["channel"],
        "type": touchpoint["type"],
        "identifier_type": record["identifier"]["type"],
        "identifier_value": record["identifier"]["value"],
        "profile_id": record["profile_id"],
        "assignment_version": record["version"],
        "identifiers": _pairs(touchpoint["identifiers"]),
        "account_id": touchpoint["account_id"] or "",
        "session_id": touchpoint["session_id"] or "",
        "issue_id": touchpoint["issue_id"] or "",
        "order_id": touchpoint["order_id"] or "",
        "campaign": touchpoint["campaign"] or "",
        "amount_minor": touchpoint["amount_minor"],
        "currency": touchpoint["currency"] or "",
        "sentiment": touchpoint["sentiment"],
        "score_kind": score["kind"] if score else "",
        "score_value": score["value"] if score else None,
        "consent": touchpoint["consent"],
        "experiments": touchpoint["experiments"],
        "link": touchpoint["link"],
        "attributes": touchpoint["attributes"],
        "checksum": check,
        "version": (LATEST - moment(touchpoint["received_at"]) << 128)
        | (MAX_CHECKSUM - check << 64)
        | _version(record["version"] + 1),
        **_origin(source),
    }


def identity_link_row(record: Record, source: Source) -> Row:
    """IdentityLink → identity_links."""
    return {
        "tenant": record["tenant"],
        "left_type": record["left"]["type"],
        "left_value": record["left"]["value"],
        "right_type": record["right"]["type"],
        "right_value": record["right"]["value"],
        "occurred_at": moment(record["occurred_at"]),
        "kind": record["kind"],
        "event_id": record["event_id"],
        "source": record["source"],
        **_origin(source),
    }


def identity_correction_row(record: Record, source: Source) -> Row:
    """IdentityCorrection → identity_corrections."""
    right = record["right"]
    return {
        "tenant": record["tenant"],
        "kind": record["kind"],
        "left_type": record["left"]["type"],
        "left_value": record["left"]["value"],
        "right_type": right["type"] if right else "",
        "right_value": right["value"] if right else "",
        "occurred_at": moment(record["occurred_at"]),
        "event_id": record["event_id"],
        "source": record["source"],
        **_origin(source),
    }


def assignment_row(record: Record, source: Source) -> Row:
    """IdentityAssignment → identity_assignments."""
    contested = record["contested_from"]
    return {
        "tenant": record["tenant"],
        "identifier_type": record["identifier"]["type"],
        "identifier_value": record["identifier"]["value"],
        "profile_id": record["profile_id"],
        "contested_from": None if contested is None else moment(contested),
        "contested_profile_id": record["contested_profile_id"] or "",
        "event_id": record["event_id"],
        "occurred_at": moment(record["occurred_at"]),
        "version": _version(record["version"]),
        "is_deleted": 0,
        **_origin(source),
    }


def history_row(row: Row, published_at: int) -> Row:
    """A row of identity_assignments, a deleted one too, and when it was published → its history."""
    return {**row, "published_at": moment(published_at)}


def assignment_tombstone(key: str, version: int | None, source: Source) -> Row:
    """A tombstone on identity-assignments, key `tenant/type:value` → a deleted row. Raises ValueError."""
    tenant, _, identifier = key.partition("/")
    kind, _, value = identifier.partition(":")
    if not (tenant and kind and value):
        raise ValueError("the key of an assignment's tombstone must read tenant/type:value")
    return {
        "tenant": tenant,
        "identifier_type": kind,
        "identifier_value": value,
        **_deletion(version, source),
    }


def profile_changed_row(record: Record, source: Source) -> Row:
    """ProfileChanged → profile_changes."""
    return {
        "tenant": record["tenant"],
        "change_id": record["change_id"],
        "kind": record["kind"],
        "profile_id": record["profile_id"],
        "others": record["others"],
        "rule": record["rule"],
        "event_id": record["event_id"],
        "occurred_at": moment(record["occurred_at"]),
        "version": _version(record["version"]),
        **_origin(source),
    }


def journey_row(record: Record, source: Source) -> Row:
    """JourneyState → journey_states."""
    session = record["session"]
    return {
        "tenant": record["tenant"],
        "profile_id": record["profile_id"],
        "state_hash": record["state_hash"],
        "as_of": moment(record["as_of"]),
        "identifiers": _pairs(record["identifiers"]),
        "account_id": record["account_id"] or "",
        "touchpoints": record["touchpoints"],
        "late": record["late"],
        "first_seen": moment(record["first_seen"]),
        "last_seen": moment(record["last_seen"]),
        "stage": record["stage"],
        "stage_since": moment(record["stage_since"]),
        "stages": _moments(record["stages"]),
        "components": _moments(record["components"]),
        "sessions": record["sessions"],
        "session_id": (session["session_id"] or "") if session else "",
        "session_started_at": moment(session["started_at"]) if session else None,
        "session_last_at": moment(session["last_at"]) if session else None,
        "session_touchpoints": session["touchpoints"] if session else 0,
        "channels": {name: use["touchpoints"] for name, use in record["channels"].items()},
        "channels_inbound": {name: use["inbound"] for name, use in record["channels"].items()},
        "channels_good": {name: use["good"] for name, use in record["channels"].items()},
        "channels_bad": {name: use["bad"] for name, use in record["channels"].items()},
        "channels_last_at": {name: moment(use["last_at"]) for name, use in record["channels"].items()},
        "last_channel": record["last_channel"],
        "preferred_channel": record["preferred_channel"] or "",
        "channel_switches": record["channel_switches"],
        "handoffs": record["handoffs"],
        "friction": record["friction"],
        "effort": record["effort"],
        "effort_answered": int(record["effort_answered"]),
        "ouch_moments": record["ouch_moments"],
        "wow_moments": record["wow_moments"],
        "sentiment": record["sentiment"],
        "sentiment_trend": record["sentiment_trend"],
        "nps": record["nps"],
        "csat": record["csat"],
        "ces": record["ces"],
        "open_issues": [
            (
                i["issue_id"],
                moment(i["opened_at"]),
                moment(i["due_at"]),
                moment(i["last_contact_at"]),
                i["contacts"],
                i["channels"],
            )
            for i in record["open_issues"]
        ],
        "issues_solved": record["issues_solved"],
        "issues_first_contact": record["issues_first_contact"],
        "first_contact_resolution": record["first_contact_resolution"],
        "expectations": [
            (
                e["kind"],
                moment(e["opened_at"]),
                moment(e["due_at"]),
                e["status"],
                e["event_id"],
                e["issue_id"] or "",
            )
            for e in record["expectations"]
        ],
        "carts": record["carts"],
        "carts_met": record["carts_met"],
        "consent": record["consent"],
        "orders": record["orders"],
        "orders_returned": record["orders_returned"],
        "orders_cancelled": record["orders_cancelled"],
        "revenue": record["revenue"],
        "first_campaign": record["first_campaign"] or "",
        "last_campaign": record["last_campaign"] or "",
        "marketing_touches": record["marketing_touches"],
        **_marketing_touch("first", record["marketing_first"]),
        **_marketing_touch("last", record["marketing_last"]),
        "experiments": record["experiments"],
        "recent": [
            (r["event_id"], moment(r["occurred_at"]), r["channel"], r["type"]) for r in record["recent"]
        ],
        "likely_next": [(n["type"], n["probability"]) for n in record["likely_next"]],
        "issue_risk": record["issue_risk"],
        "model_version": record["model_version"] or "",
        "version": _version(record["version"]),
        "is_deleted": 0,
        **_origin(source),
    }


def journey_tombstone(key: str, version: int | None, source: Source) -> Row:
    """A tombstone on journey-states, key `tenant/profile` → a deleted row. Raises ValueError."""
    tenant, _, profile = key.partition("/")
    if not (tenant and profile):
        raise ValueError("the key of a journey's tombstone must read tenant/profile")
    return {"tenant": tenant, "profile_id": profile, **_deletion(version, source)}


def account_row(record: Record, source: Source) -> Row:
    """AccountState → account_states."""
    last = record["last_touch"]
    return {
        "tenant": record["tenant"],
        "account_id": record["account_id"],
        "state_hash": record["state_hash"],
        "as_of": moment(record["as_of"]),
        "members": record["members"],
        "member_ids": record["member_ids"],
        "stages": record["stages"],
        "touchpoints": record["touchpoints"],
        "open_issues": record["open_issues"],
        "oldest_issues": [
            (
                i["issue_id"],
                moment(i["opened_at"]),
                moment(i["last_contact_at"]),
                i["contacts"],
                i["channels"],
                i["profile_ids"],
            )
            for i in record["oldest_issues"]
        ],
        "issues_solved": record["issues_solved"],
        "sentiment": record["sentiment"],
        "friction_mean": record["friction_mean"],
        "friction_max": record["friction_max"],
        "orders": record["orders"],
        "revenue": record["revenue"],
        "last_at": moment(last["occurred_at"]),
        "last_channel": last["channel"],
        "last_type": last["type"],
        "last_profile_id": last["profile_id"],
        "last_event_id": last["event_id"],
        "version": _version(record["version"]),
        "is_deleted": 0,
        **_origin(source),
    }


def account_tombstone(key: str, version: int | None, source: Source) -> Row:
    """A tombstone on account-states, key `tenant/account` → a deleted row. Raises ValueError."""
    tenant, _, account = key.partition("/")
    if not (tenant and account):
        raise ValueError("the key of an account's tombstone must read tenant/account")
    return {"tenant": tenant, "account_id": account, **_deletion(version, source)}


def signal_row(record: Record, source: Source) -> Row:
    """JourneySignal → journey_signals."""
    return {
        "tenant": record["tenant"],
        "profile_id": record["profile_id"],
        "signal_id": record["signal_id"],
        "subject_id": record["subject_id"],
        "kind": record["kind"],
        "status": record["status"],
        "reason": record["reason"] or "",
        "successor": record["successor"] or "",
        "occurred_at": moment(record["occurred_at"]),
        "rule": record["rule"],
        "event_ids": record["event_ids"],
        "details": record["details"],
        "version": _version(record["version"]),
        **_origin(source),
    }


def dead_letter_row(record: Record, source: Source) -> Row:
    """DeadLetter → dead_letters."""
    return {
        "reason": record["reason"],
        "error": record["error"],
        "component": record["component"],
        "component_version": record["component_version"],
        "topic": record["topic"],
        "partition": record["partition"],
        "offset": record["offset"],
        "recorded_at": moment(record["recorded_at"]),
        "key": record["key"] or b"",
        "value": record["value"] or b"",
        "headers": [(header["name"], header["value"] or b"") for header in record["headers"]],
        **_origin(source),
    }


def _marketing_touch(which: str, touch: Record | None) -> Row:
    return {
        f"marketing_{which}_at": moment(touch["occurred_at"]) if touch else None,
        f"marketing_{which}_channel": touch["channel"] if touch else "",
        f"marketing_{which}_type": touch["type"] if touch else "",
        f"marketing_{which}_campaign": (touch["campaign"] or "") if touch else "",
    }


def _moments(times: dict[str, int]) -> dict[str, int]:
    return {name: moment(time) for name, time in times.items()}


def _pairs(identifiers: list[Identifier]) -> list[tuple[str, str]]:
    return [(identifier["type"], identifier["value"]) for identifier in identifiers]


def _version(version: int) -> int:
    return max(version, 0)


def _deletion(version: int | None, source: Source) -> Row:
    """A tombstone knows no other columns: ClickHouse fills them in."""
    beats_all = UNVERSIONED + source.offset
    return {
        "version": beats_all if version is None else _version(version),
        "is_deleted": 1,
        **_origin(source),
    }


def _origin(source: Source) -> Row:
    return {
        "source_topic": source.topic,
        "source_partition": source.partition,
        "source_offset": source.offset,
    }


#: Table → the table that keeps every version of its rows, made by `history_row`.
HISTORY_OF: Final = {"identity_assignments": "identity_assignment_history"}

#: Record → table. Move and Transfer are messages between profiles: they are not stored.
TABLES: Final = {
    "ResolvedTouchpoint": Table("touchpoints", touchpoint_row),
    "IdentityLink": Table("identity_links", identity_link_row),
    "IdentityCorrection": Table("identity_corrections", identity_correction_row),
    "IdentityAssignment": Table("identity_assignments", assignment_row),
    "ProfileChanged": Table("profile_changes", profile_changed_row),
    "JourneyState": Table("journey_states", journey_row),
    "JourneySignal": Table("journey_signals", signal_row),
    "AccountState": Table("account_states", account_row),
    "DeadLetter": Table("dead_letters", dead_letter_row),
}
