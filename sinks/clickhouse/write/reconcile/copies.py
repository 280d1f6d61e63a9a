"""Decides which copies of an event count (schemas/touchpoint/events.py), so that no view has to look for copies.

Every row carries a hash of its event, so one scan of eight bytes a row finds the events with several copies. Of these
few, `raw_touchpoint_verdicts` says which copy counts. A verdict's version is the server's time before its run read the
copies. Of two runs that decide about one event the later one has read what the other one wrote, so its verdict stays.
"""

from typing import Final

from sinks.clickhouse.write.reconcile.owners import LOADED_SINCE
from sinks.clickhouse.write.reconcile.session import Session

_KEY: Final = "tenant, identifier_type, identifier_value, occurred_at, source, event_id"

_LOADED: Final = f"SELECT count() FROM raw_touchpoints WHERE {LOADED_SINCE}"  # noqa: S608 (names of our own)
#: Also events that were noted: of an erased copy there is nothing left.
_COPIED: Final = f"""
    SELECT event FROM raw_touchpoints
    WHERE event IN (SELECT event FROM raw_touchpoints WHERE {LOADED_SINCE} AND event %% %(parts)s = %(part)s)
    GROUP BY event HAVING min(copy_id) != max(copy_id)
    UNION DISTINCT
    SELECT event FROM raw_reconciliation_notes
    WHERE event != 0 AND event %% %(parts)s = %(part)s
        AND noted_at >= fromUnixTimestamp64Milli(toInt64(%(since)s), 'UTC')
"""  # noqa: S608 (names of our own)

#: The inner question scans the hashes of events, which FINAL may not; the outer one finds few rows by their key.
_DECIDE: Final = f"""
    INSERT INTO raw_touchpoint_verdicts ({_KEY}, copy_id, counts, version)
    SELECT {_KEY}, copy_id, number = 1, %(version)s
    FROM (
        SELECT {_KEY}, copy_id, row_number() OVER (
            PARTITION BY tenant, owner_id, source, event_id, is_erased
            ORDER BY received_at, occurred_at, checksum, identifier_type, identifier_value
        ) AS number
        FROM raw_touchpoints FINAL
        WHERE ({_KEY}) IN (SELECT {_KEY} FROM raw_touchpoints WHERE event IN (SELECT event FROM copied))
    )
"""  # noqa: S608 (names of our own)


def decide_since(session: Session, since: int) -> None:
    """Decide about the events of touchpoints that were loaded or rewritten since (UTC milliseconds)."""
    ((loaded,),) = session.run(_LOADED, {"since": since})
    ((version,),) = session.run("SELECT toUnixTimestamp64Micro(now64(6))")
    parts = 1 + loaded // session.limits.at_once
    for part in range(parts):
        if session.fill("copied", _COPIED, {"since": since, "parts": parts, "part": part}):
            session.write(_DECIDE, {"version": version})
