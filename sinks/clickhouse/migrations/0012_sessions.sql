-- Sessions, from touchpoints, by the definition of streams/journeys/state/sessions.py: those that the journey state counts.

-- Only inbound touchpoints belong to sessions. Touchpoints with a session_id form one session for each
-- (source, session_id). The other touchpoints of a profile form one session until a pause exceeds the gap. A session ends
-- at the cap after its start: the next touchpoint begins another.
CREATE OR REPLACE VIEW sessions AS
WITH
    (SELECT groupArray(name) FROM catalogue_types FINAL WHERE is_deleted = 0 AND direction != 'inbound') AS not_inbound,
    (SELECT value FROM journey_settings FINAL WHERE is_deleted = 0 AND name = 'session_gap_ms') AS set_gap,
    (SELECT value FROM journey_settings FINAL WHERE is_deleted = 0 AND name = 'session_cap_ms') AS set_cap,
    ifNull(set_gap, 30 * 60 * 1000) AS gap,
    ifNull(set_cap, 3 * 24 * 60 * 60 * 1000) AS cap
SELECT
    tenant,
    profile_id,
    row_number() OVER (PARTITION BY tenant, profile_id ORDER BY started_ms, last_ms, source, session_id) AS number,
    source,
    session_id,
    fromUnixTimestamp64Milli(started_ms, 'UTC') AS started_at,
    fromUnixTimestamp64Milli(last_ms, 'UTC') AS last_at,
    length(own) AS touchpoints,
    arraySort(arrayDistinct(arrayMap(step -> step.2, own))) AS channels,
    arrayMap(step -> step.3, own) AS types
FROM (
    SELECT
        tenant, profile_id, source, session_id,
        arrayJoin(arrayZip(starts, arrayPushBack(arrayPopFront(starts), toInt64(9223372036854775807)))) AS span,
        arrayFilter(step -> step.1 >= span.1 AND step.1 < span.2, steps) AS own,
        own[1].1 AS started_ms,
        own[-1].1 AS last_ms
    FROM (
        SELECT
            tenant, profile_id, source, session_id, run,
            arraySort(groupArray((ms, channel, type))) AS steps,
            arrayFold(
                (found, step) -> if(step.1 - found.1 > cap, (step.1, arrayPushBack(found.2, step.1)), found),
                steps,
                (steps[1].1, [steps[1].1])
            ).2 AS starts
        FROM (
            SELECT
                *,
                countIf(session_id = '' AND ms - previous > gap) OVER (
                    PARTITION BY tenant, profile_id, source, session_id ORDER BY ms
                ) AS run
            FROM (
                SELECT
                    tenant,
                    profile_id,
                    if(t.session_id = '', '', toString(t.source)) AS source,
                    t.session_id AS session_id,
                    toString(channel) AS channel,
                    toString(type) AS type,
                    toUnixTimestamp64Milli(occurred_at) AS ms,
                    lagInFrame(ms, 1, ms) OVER (
                        PARTITION BY tenant, profile_id, source, session_id ORDER BY ms
                        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
                    ) AS previous
                FROM touchpoints_current AS t
                WHERE NOT has(not_inbound, type)
            )
        )
        GROUP BY tenant, profile_id, source, session_id, run
    )
)
COMMENT 'Visits and conversations, as the journey state counts them; source and session_id are empty for sessions without a session_id; number counts from 1, types are in order of time';
