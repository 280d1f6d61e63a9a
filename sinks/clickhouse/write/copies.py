"""Decides which copies of an event count (schemas/touchpoint/events.py), so that no view has to look for copies.

`raw_touchpoint_events` says which events have several copies. Of these few, `raw_touchpoint_verdicts` says which counts.
A verdict's version is the server's time before it read the copies, and after its loader had written. Of two loaders that
decide about one event the later one has read what the other one wrote, so its verdict stays.
"""

from collections.abc import Iterable
from typing import Final

from clickhouse_driver import Client

from sinks.clickhouse.write.owners import LOADED_SINCE, Identifier, in_chunks

_EVENT: Final = "sipHash64(tenant, source, event_id)"
_KEY: Final = "tenant, identifier_type, identifier_value, occurred_at, source, event_id"

_REMEMBER: Final = f"""
    INSERT INTO raw_touchpoint_events (event, copy)
    SELECT DISTINCT {_EVENT}, toUInt32(bitAnd(sipHash64(occurred_at, identifier_type, identifier_value), 4294967295))
    FROM raw_touchpoints WHERE {LOADED_SINCE}
"""  # noqa: S608 (names of our own)
_COPIED: Final = """
    SELECT event, toUnixTimestamp64Micro(now64(6)) FROM raw_touchpoint_events
    WHERE event IN (SELECT {event} FROM raw_touchpoints WHERE {concerned})
    GROUP BY event HAVING uniqExact(copy) > 1
"""
_COPIED_SINCE: Final = _COPIED.format(event=_EVENT, concerned=LOADED_SINCE)
_COPIED_OF: Final = _COPIED.format(
    event=_EVENT, concerned="(tenant, identifier_type, identifier_value) IN %(identifiers)s"
)

#: The inner question may use the index of events, which FINAL may not; the outer one finds few rows by their key.
_DECIDE: Final = f"""
    INSERT INTO raw_touchpoint_verdicts ({_KEY}, copy_id, counts, version)
    SELECT {_KEY}, copy_id, number = 1, %(version)s
    FROM (
        SELECT {_KEY}, copy_id, row_number() OVER (
            PARTITION BY tenant, owner_id, source, event_id, is_erased
            ORDER BY received_at, occurred_at, checksum, identifier_type, identifier_value
        ) AS number
        FROM raw_touchpoints FINAL
        WHERE ({_KEY}) IN (SELECT {_KEY} FROM raw_touchpoints WHERE {_EVENT} IN %(events)s)
    )
"""  # noqa: S608 (names of our own)


def remember(client: Client, since: int) -> None:
    """Note the events of all touchpoints that were loaded since."""
    client.execute(_REMEMBER, {"since": since})


def decide(client: Client, since: int, changed: Iterable[Identifier]) -> None:
    """Decide about the events of touchpoints loaded since, and of identifiers whose owner may have changed."""
    copied = dict(client.execute(_COPIED_SINCE, {"since": since}))
    for some in in_chunks(changed):
        copied |= dict(client.execute(_COPIED_OF, {"identifiers": some}))
    if copied:
        # Every time was taken after what this loader has written: each of them may be the version.
        version = min(copied.values())
        for events in in_chunks(copied):
            client.execute(_DECIDE, {"events": events, "version": version})
