"""Which rows an erasure deletes: every version of them, wherever they are.

A mutation's text stays on the disk of the server, beside the tables. No statement that changes rows therefore holds the
identifier: it looks it up in `raw_erasures` by a hash, or compares hashes. Profile ids are hashes already. They come
as texts, which IN and = take for UUIDs.
"""

from typing import Any, Final
from uuid import UUID

from clickhouse_driver import Client

from schemas.encoding.codec import string_bytes
from schemas.records import Identifier

_KEY: Final = "hex(sipHash128(tenant, {type}, {value})) = %(key)s"
_ERASED: Final = f"""SELECT tenant, identifier_type, identifier_value FROM raw_erasures
        WHERE {_KEY.format(type="identifier_type", value="identifier_value")}"""  # noqa: S608 (names of our own)
_OWNED: Final = f"(tenant, identifier_type, identifier_value) IN ({_ERASED})"
_LEFT: Final = f"(tenant, left_type, left_value) IN ({_ERASED})"
_RIGHT: Final = f"(tenant, right_type, right_value) IN ({_ERASED})"
_AMONG: Final = f"arrayExists(i -> {_KEY.format(type='i.1', value='i.2')}, identifiers)"
#: As `erased` in streams/identity/resolution/ownership.py: up to the time of the erasure, inclusive.
_UNTIL: Final = "occurred_at <= fromUnixTimestamp64Milli(%(until)s)"
_HELD: Final = "tenant = %(tenant)s AND profile_id IN %(profiles)s"
#: Functions of arrays take no texts for UUIDs.
_PROFILE_IDS: Final = "CAST(%(profiles)s, 'Array(UUID)')"
_BEFORE: Final = "fromUnixTimestamp64Milli(toInt64(%(before)s), 'UTC')"


def _older(name: str) -> str:
    """Rows that something newer supersedes; `NEWEST` says from which version of each key on rows stay."""
    return (
        f"tenant = %(tenant)s AND {name} IN %({name}s)s AND version < transform(toString({name}), %({name}s)s,"
        f" CAST(%({name}_versions)s, 'Array(UInt64)'), toUInt64(0))"
    )


#: Table → condition of the rows that an erasure deletes. Of the profiles that ever held the identifier, and of their
#: accounts, it deletes superseded states and signals, and retracted signals: what holds has been published after them.
#: If Kafka delivers such a record again, the record that superseded it follows.
DELETED: Final = {
    "raw_account_states": _older("account_id"),
    "raw_journey_signals": _older("signal_id"),
    "raw_journey_states": _older("profile_id"),
    "raw_identity_links": f"{_UNTIL} AND ({_LEFT} OR {_RIGHT})",
    # the tombstone of the erasure itself goes, too: raw_erasures says the same
    "raw_identity_assignments": f"{_OWNED} AND version < %(version)s + is_deleted",
    "raw_identity_assignment_history": f"{_OWNED} AND version < %(version)s + is_deleted",
    "raw_touchpoints": f"{_OWNED} AND {_UNTIL}",
    # what these profiles' endpoints have been told; the retraction of an erased signal is told after it
    "webhook_deliveries": f"{_HELD} AND happened_at <= {_BEFORE}",
}
_LEFT_OVER: Final = f"SELECT owner_id FROM raw_touchpoints WHERE {_OWNED} AND NOT ({_UNTIL})"  # noqa: S608
#: What a reconciliation made of the deleted rows. It makes it anew, as `NOTES` asks, of what is left.
DERIVED: Final = {
    # their version is a time
    "raw_profiles": f"{_HELD} AND version <= toUInt64(%(before)s) * 1000",
    "raw_profile_identifiers": f"{_OWNED} AND profile_id NOT IN ({_LEFT_OVER})",
    "raw_identifier_profiles": f"{_OWNED} AND profile_id NOT IN ({_LEFT_OVER})",
    "raw_reconciliation_notes": f"{_OWNED} AND noted_at <= {_BEFORE}",
}
NOTES: Final = (
    f"INSERT INTO raw_reconciliation_notes (tenant, profile_id) SELECT %(tenant)s, arrayJoin({_PROFILE_IDS})",
    "INSERT INTO raw_reconciliation_notes (event) SELECT arrayJoin(CAST(%(events)s, 'Array(UInt64)'))",
)
_SEEN: Final = f"tenant = %(tenant)s AND loaded_at <= {_BEFORE}"
#: A key that no row has: `transform` and IN take no empty lists, and IN wants a UUID beside UUIDs.
_NOBODY: Final = str(UUID(int=0))
#: Key of a table → from which version on its rows stay.
_NEWEST: Final = {
    "account_id": f"""
        SELECT account_id, max(version) FROM raw_account_states
        WHERE {_SEEN} AND account_id IN %(accounts)s GROUP BY account_id""",  # noqa: S608
    "profile_id": f"""
        SELECT profile_id, max(version) FROM raw_journey_states
        WHERE {_SEEN} AND profile_id IN %(profiles)s GROUP BY profile_id""",  # noqa: S608
    # nothing stays of a signal that was retracted last
    "signal_id": f"""
        SELECT signal_id, max(version) + (argMax(status, (version, loaded_at)) = 'RETRACTED') FROM raw_journey_signals
        WHERE {_SEEN} AND profile_id IN %(profiles)s GROUP BY signal_id""",  # noqa: S608
}
#: They are deleted last: an erasure that is repeated after a crash finds in them the events to note.
VERDICTS: Final = {"raw_touchpoint_verdicts": f"{_OWNED} AND {_UNTIL}"}
#: Tables with rows that an erasure may delete, and those that keep the erased identifier so that it stays erased.
TABLES: Final = (*DELETED, *DERIVED, *VERDICTS, "dead_letters")
KEPT: Final = ("raw_erasures", "erasure_receipts", "identity_corrections")

#: Events of which a deleted row was one of several copies: another one of them may count now.
_COPIED: Final = f"""
    SELECT groupUniqArray(sipHash64(tenant, source, event_id)) FROM raw_touchpoint_verdicts WHERE {_OWNED} AND {_UNTIL}
"""  # noqa: S608 (names of our own)

#: Touchpoints of other identifiers that also carry the erased one: it is removed from them.
CARRIED: Final = f"tenant = %(tenant)s AND {_UNTIL} AND NOT ({_OWNED}) AND {_AMONG}"
CLEAN: Final = f"""ALTER TABLE raw_touchpoints
    UPDATE identifiers = arrayFilter(i -> NOT ({_KEY.format(type="i.1", value="i.2")}), identifiers) WHERE {CARRIED}"""
CLEANED: Final = "touchpoints of others"

#: All profiles that ever held the identifier, as far as any table still says: a merge leaves superseded rows behind.
_PROFILES: Final = f"""
    SELECT groupUniqArray(profile) FROM (
        SELECT arrayJoin({_PROFILE_IDS}) AS profile
        UNION ALL
        SELECT arrayJoin([profile_id, ifNull(contested_profile_id, profile_id)])
        FROM raw_identity_assignment_history WHERE {_OWNED}
        UNION ALL SELECT arrayJoin([profile_id, owner_id]) FROM raw_touchpoints WHERE {_OWNED}
        UNION ALL SELECT profile_id FROM raw_identifier_profiles WHERE {_OWNED}
        UNION ALL SELECT profile_id FROM raw_journey_states WHERE tenant = %(tenant)s AND {_AMONG}
    ) WHERE notEmpty(profile) -- that of a tombstone
"""  # noqa: S608 (names of our own)
_ACCOUNTS_OF: Final = f"""
    SELECT groupUniqArray(account) FROM (
        SELECT arrayJoin(CAST(%(accounts)s, 'Array(String)')) AS account
        UNION ALL SELECT account_id FROM raw_touchpoints WHERE {_OWNED}
        UNION ALL SELECT account_id FROM raw_journey_states WHERE {_HELD}
        UNION ALL SELECT account_id FROM raw_account_states
            WHERE tenant = %(tenant)s
                AND (last_profile_id IN %(profiles)s OR hasAny(member_ids, {_PROFILE_IDS}))
    ) WHERE account != ''
"""  # noqa: S608 (names of our own)
#: Dead letters in which the identifier stands as it is stored: as the key, within an Avro record, or as JSON text.
_LETTERS: Final = """
    SELECT topic, partition, offset FROM dead_letters
    WHERE recorded_at <= fromUnixTimestamp64Milli(%(until)s) AND (
        key = unhex(%(name)s)
        OR (
            (startsWith(key, %(tenant_prefix)s) OR key = %(tenant)s OR position(value, unhex(%(avro_tenant)s)) > 0)
            AND (position(value, unhex(%(avro)s)) > 0
                OR arrayExists(h -> position(h.2, unhex(%(avro)s)) > 0, headers)))
        OR (position(value, unhex(%(json_type)s)) > 0 AND position(value, unhex(%(json_value)s)) > 0 AND (
            startsWith(key, %(tenant_prefix)s) OR position(value, unhex(%(json_tenant)s)) > 0
            OR (%(tenant)s = 'default' AND position(value, '"tenant"') = 0)))
    )
"""
LETTERS: Final = "(topic, partition, offset) IN %(letters)s"
LETTERS_AT_ONCE: Final = 1_000


def hash_of(client: Client, tenant: str, kind: str, value: str) -> str:
    """The hash by which statements name an identifier."""
    asked = {"tenant": tenant, "type": kind, "value": value}
    return str(client.execute("SELECT hex(sipHash128(%(tenant)s, %(type)s, %(value)s))", asked)[0][0])


def copied_events(client: Client, asked: dict[str, Any]) -> list[int]:
    """The events to note."""
    return list(client.execute(_COPIED, asked)[0][0])


def concerned(client: Client, asked: dict[str, Any]) -> dict[str, Any]:
    """The parameters that name all profiles that may have held the identifier, and what must stay of them.

    `asked` holds the others, and under `profiles` and `accounts` what is known already.
    """
    profiles = sorted(client.execute(_PROFILES, asked)[0][0])
    accounts = sorted(client.execute(_ACCOUNTS_OF, asked | {"profiles": profiles})[0][0])
    found: dict[str, Any] = {"profiles": profiles, "accounts": accounts}
    for name, sql in _NEWEST.items():
        newest = dict(client.execute(sql, asked | {"profiles": profiles, "accounts": [*accounts, ""]}))
        newest = newest or {_NOBODY: 0}
        found |= {f"{name}s": list(newest), f"{name}_versions": list(newest.values())}
    return found


def letters_with(client: Client, tenant: str, one: Identifier, until: int) -> list[tuple[str, int, int]]:
    """Topic, partition and offset of the dead letters in which an identifier stands as it is stored."""
    kind, value = one["type"], one["value"]
    asked = {
        "until": until,
        "tenant": tenant,
        "tenant_prefix": f"{tenant}/",
        "name": f"{tenant}/{kind}:{value}".encode().hex(),
        "avro_tenant": string_bytes(tenant).hex(),
        "avro": (string_bytes(kind) + string_bytes(value)).hex(),
        "json_tenant": f'"{tenant}"'.encode().hex(),
        "json_type": f'"{kind}"'.encode().hex(),
        "json_value": f'"{value}"'.encode().hex(),
    }
    return sorted(client.execute(_LETTERS, asked))
