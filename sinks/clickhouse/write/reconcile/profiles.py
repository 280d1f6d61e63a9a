"""Computes one row for each profile: its timeline, sessions and channel switches. Views read them and fold nothing.

Which profiles: a profile's row changes only if a row of touchpoints, or a verdict on a copy, of one of its identifiers
is written. `raw_profile_identifiers` and `raw_identifier_profiles` keep which identifiers a profile ever had
touchpoints of, in two orders. So of the identifiers that something was written of, all profiles that ever had them
are computed anew, from all their identifiers. A row's version is the server's time before its touchpoints were read.
"""

from typing import Final

from sinks.clickhouse.write.reconcile.owners import IDENTIFIER, LOADED_SINCE
from sinks.clickhouse.write.reconcile.session import Session

_PROFILE: Final = "cityHash64(tenant, profile_id) %% %(parts)s = %(part)s"
_NOTED_SINCE: Final = "noted_at >= fromUnixTimestamp64Milli(toInt64(%(since)s), 'UTC')"

_LOADED: Final = f"SELECT count() FROM raw_touchpoints WHERE {LOADED_SINCE}"  # noqa: S608 (names of our own)
#: Whether the meaning of types, channels or pauses has changed.
_RULED: Final = f"""
    SELECT (SELECT count() FROM catalogue_types WHERE {LOADED_SINCE})
        + (SELECT count() FROM catalogue_channels WHERE {LOADED_SINCE})
        + (SELECT count() FROM journey_settings WHERE {LOADED_SINCE})
"""  # noqa: S608 (names of our own)
_REMEMBER: Final = """
    INSERT INTO {table} (tenant, profile_id, identifier_type, identifier_value)
    SELECT DISTINCT tenant, owner_id, identifier_type, identifier_value FROM raw_touchpoints WHERE {which}
"""
_WINDOW: Final = f"{LOADED_SINCE} AND cityHash64({IDENTIFIER}) %% %(parts)s = %(part)s"
_NOTED: Final = f"""
    SELECT {IDENTIFIER} FROM raw_reconciliation_notes WHERE identifier_type != '' AND {_NOTED_SINCE}
"""  # noqa: S608 (names of our own)
_IN_NOTES: Final = f"({IDENTIFIER}) IN (SELECT {IDENTIFIER} FROM held)"  # noqa: S608 (names of our own)
_MAPS: Final = ("raw_profile_identifiers", "raw_identifier_profiles")
_TOUCHED: Final = f"""
    SELECT {IDENTIFIER} FROM raw_touchpoints WHERE {LOADED_SINCE}
    UNION DISTINCT SELECT {IDENTIFIER} FROM raw_touchpoint_verdicts WHERE {LOADED_SINCE}
    UNION DISTINCT {_NOTED}
"""  # noqa: S608 (names of our own)
_CHOSEN: Final = f"""
    SELECT tenant, profile_id FROM raw_identifier_profiles
    WHERE ({IDENTIFIER}) IN (SELECT {IDENTIFIER} FROM touched) AND {_PROFILE}
    UNION DISTINCT
    SELECT tenant, assumeNotNull(profile_id) FROM raw_reconciliation_notes
    WHERE profile_id IS NOT NULL AND {_NOTED_SINCE} AND {_PROFILE}
"""  # noqa: S608 (names of our own)
_EVERYBODY: Final = f"""
    SELECT DISTINCT tenant, profile_id FROM raw_profile_identifiers WHERE {_PROFILE}
"""  # noqa: S608 (names of our own)
_HELD: Final = f"""
    SELECT DISTINCT {IDENTIFIER} FROM raw_profile_identifiers
    WHERE (tenant, profile_id) IN (SELECT tenant, profile_id FROM chosen)
"""  # noqa: S608 (names of our own)

_RULES: Final = """
    SELECT
        (SELECT groupArray(name) FROM catalogue_types FINAL WHERE is_deleted = 0 AND direction != 'inbound'),
        (SELECT groupArray((name, alias_of)) FROM catalogue_channels FINAL WHERE is_deleted = 0 AND alias_of != ''),
        ifNull((SELECT value FROM journey_settings FINAL WHERE is_deleted = 0 AND name = 'session_gap_ms'), 1800000),
        ifNull((SELECT value FROM journey_settings FINAL WHERE is_deleted = 0 AND name = 'session_cap_ms'), 259200000)
"""

#: A step is (1) its time in milliseconds, (2) channel, (3) type, (4) source if (5) the source's session id is not
#: empty, (6) whether it is inbound, (7) source, (8) campaign, (9) issue. `before(steps)` is the step before each step;
#: that before the first is itself.
_TIMELINES: Final = """
    SELECT
        tenant, owner_id AS profile_id,
        arraySort(groupUniqArray((toString(identifier_type), identifier_value))) AS identifiers,
        arraySort(groupArray((
            toUnixTimestamp64Milli(occurred_at), toString(channel), toString(type),
            if(session_id = '', '', toString(source)), session_id, toString(type) NOT IN %(not_inbound)s,
            toString(source), toString(campaign), issue_id
        ))) AS steps
    FROM raw_touchpoints FINAL
    WHERE is_erased = 0
        AND (tenant, identifier_type, identifier_value) IN (SELECT tenant, identifier_type, identifier_value FROM held)
        AND (tenant, owner_id) IN (SELECT tenant, profile_id FROM chosen)
        AND copy_id NOT IN (SELECT copy_id FROM raw_touchpoint_verdicts FINAL WHERE counts = 0)
    GROUP BY tenant, owner_id
"""


def _before(steps: str) -> str:
    return f"arraySlice(arrayPushFront({steps}, {steps}[1]), 1, length({steps}))"


#: Sessions, by the definition of streams/journeys/state/sessions.py. Only inbound steps belong to sessions. Those
#: with a session id form one session for each source and id, the others one until a pause exceeds the gap. A session
#: that would exceed the cap ends there: the next step begins another.
_SESSIONS: Final = f"""
    arrayFilter(step -> step.6, steps) AS inbound,
    arraySort(step -> (step.4, step.5, step.1, step.2, step.3), inbound) AS visits,
    {_before("visits")} AS visits_before,
    arrayMap(
        (step, before) -> step.4 != before.4 OR step.5 != before.5 OR (step.5 = '' AND step.1 - before.1 > %(gap)s),
        visits, visits_before
    ) AS paused,
    arrayFilter(run -> run[-1].1 - run[1].1 > %(cap)s, arraySplit((step, cut) -> cut, visits, paused)) AS overlong,
    arrayFlatten(arrayMap(
        run -> arrayMap(
            start -> (run[1].4, run[1].5, start),
            arrayPopFront(arrayFold(
                (found, step) -> if(step.1 - found.1 > %(cap)s, (step.1, arrayPushBack(found.2, step.1)), found),
                run, (run[1].1, [run[1].1])
            ).2)
        ),
        overlong
    )) AS cuts,
    arrayMap(
        (step, before, cut) -> cut OR (step.1 != before.1 AND has(cuts, (step.4, step.5, step.1))),
        visits, visits_before, paused
    ) AS begins,
    arraySort(
        run -> (run[1].1, run[-1].1, run[1].4, run[1].5), arraySplit((step, cut) -> cut, visits, begins)
    ) AS sessions
"""
#: Channel switches, by streams/journeys/state/channels.py. Only inbound steps count. Steps of one time are ordered by
#: channel: the channel in use first, then the others by name (streams/journeys/state/instants.py).
_SWITCHES: Final = f"""
    arrayMap(
        group -> (group[1].1, arraySort(arrayDistinct(arrayMap(
            step -> transform(step.2, %(aliases)s, %(channels)s, step.2), group)))),
        arraySplit((step, before) -> step.1 != before.1, inbound, {_before("inbound")})
    ) AS instants,
    arrayFold(
        (found, instant) -> (
            arrayConcat(arrayFilter(c -> c = found.1, instant.2), arrayFilter(c -> c != found.1, instant.2))[-1],
            arrayConcat(found.2, arrayMap(
                (source, target) -> (source, target, instant.1),
                arrayPopBack(arrayConcat([found.1], arrayFilter(c -> c != found.1, instant.2))),
                arrayFilter(c -> c != found.1, instant.2)
            ))
        ),
        arrayFilter(
            (instant, before, number) -> number = 1 OR length(instant.2) > 1 OR instant.2 != before.2,
            instants, {_before("instants")}, arrayEnumerate(instants)
        ),
        ('', CAST([], 'Array(Tuple(String, String, Int64))'))
    ).2 AS every_switch,
    arrayFilter(switch -> switch.1 != '', every_switch) AS switches
"""
_TIME: Final = "fromUnixTimestamp64Milli({}, 'UTC')"
#: Column → its expression.
_COLUMNS: Final = {
    # not min and max of the times: those of ClickHouse take a time before 1970 for the newest
    "first_seen": _TIME.format("steps[1].1"),
    "last_seen": _TIME.format("steps[-1].1"),
    "identifiers": "identifiers",
    "step_at": f"arrayMap(step -> {_TIME.format('step.1')}, steps)",
    "step_channel": "arrayMap(step -> step.2, steps)",
    "step_type": "arrayMap(step -> step.3, steps)",
    "step_source": "arrayMap(step -> step.7, steps)",
    "step_campaign": "arrayMap(step -> step.8, steps)",
    "step_issue_id": "arrayMap(step -> step.9, steps)",
    "session_source": "arrayMap(run -> run[1].4, sessions)",
    "session_id": "arrayMap(run -> run[1].5, sessions)",
    "session_started_at": f"arrayMap(run -> {_TIME.format('run[1].1')}, sessions)",
    "session_last_at": f"arrayMap(run -> {_TIME.format('run[-1].1')}, sessions)",
    "session_channels": "arrayMap(run -> arraySort(arrayDistinct(arrayMap(step -> step.2, run))), sessions)",
    "session_types": "arrayMap(run -> arrayMap(step -> step.3, run), sessions)",
    "session_at": f"arrayMap(run -> arrayMap(step -> {_TIME.format('step.1')}, run), sessions)",
    "switch_from": "arrayMap(switch -> switch.1, switches)",
    "switch_to": "arrayMap(switch -> switch.2, switches)",
    "switch_at": f"arrayMap(switch -> {_TIME.format('switch.3')}, switches)",
}
#: A profile that has no touchpoints any more gets a row that says so.
_COMPUTE: Final = f"""
    INSERT INTO raw_profiles (tenant, profile_id, version, is_deleted, {", ".join(_COLUMNS)})
    SELECT p.tenant, p.profile_id, %(version)s, empty(steps), {", ".join(_COLUMNS.values())}
    FROM (SELECT DISTINCT tenant, profile_id FROM chosen) AS p
    LEFT JOIN (SELECT *, {_SESSIONS}, {_SWITCHES} FROM ({_TIMELINES})) AS c USING (tenant, profile_id)
"""  # noqa: S608 (names of our own)


def compute_since(session: Session, since: int, *, noted: bool) -> None:
    """Compute the profiles that something was loaded of since (UTC milliseconds), or all if the rules changed.

    `noted`: whether there are notes since.
    """
    ((loaded,),) = session.run(_LOADED, {"since": since})
    parts = 1 + loaded // session.limits.at_once
    for part in range(parts):
        for table in _MAPS:
            session.write(
                _REMEMBER.format(table=table, which=_WINDOW), {"since": since, "parts": parts, "part": part}
            )
    if noted and session.fill("held", _NOTED, {"since": since}):
        for table in _MAPS:
            session.write(_REMEMBER.format(table=table, which=_IN_NOTES))
    ((ruled,),) = session.run(_RULED, {"since": since})
    everybody = parts > 1 or ruled > 0
    if everybody:
        ((loaded,),) = session.run(_LOADED, {"since": 0})
        parts = 1 + loaded // session.limits.at_once
    else:
        session.fill("touched", _TOUCHED, {"since": since})
    for part in range(parts):
        asked = {"since": since, "parts": parts, "part": part}
        if session.fill("chosen", _EVERYBODY if everybody else _CHOSEN, asked):
            _compute(session)


def _compute(session: Session) -> None:
    ((version,),) = session.run("SELECT toUnixTimestamp64Micro(now64(6))")
    session.fill("held", _HELD)
    ((not_inbound, aliases, gap, cap),) = session.run(_RULES)
    session.write(
        _COMPUTE,
        {
            "version": version, "gap": gap, "cap": cap, "not_inbound": (*not_inbound, ""),
            # `transform` takes no empty arrays
            "aliases": [*(alias for alias, _ in aliases), ""], "channels": [*(name for _, name in aliases), ""],
        },
    )  # fmt: skip
