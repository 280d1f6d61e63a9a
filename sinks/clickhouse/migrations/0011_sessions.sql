-- Sessions by the definition of streams/journeys/state/sessions.py: what the journey state counts, from the touchpoints.

-- sinks/clickhouse/write/meanings.py writes a row whenever a loader or a migration begins with another catalogue or other rules.
CREATE TABLE IF NOT EXISTS journey_meanings (
    directions Map(String, LowCardinality(String)) COMMENT 'Touchpoint type to outbound or internal; all others are inbound',
    session_gap_ms Int64 COMMENT 'Longest pause within a session that its source did not name',
    session_cap_ms Int64 COMMENT 'Longest time from the start of a session to its last touchpoint',
    written_at DateTime64(6, 'UTC') DEFAULT now64(6)
)
ENGINE = MergeTree
ORDER BY written_at
COMMENT 'What of the catalogue and the journey rules the views need; the newest row is in force';

-- A touchpoint that is not inbound belongs to no session. Those that a source named are one session by
-- (source, session_id); all others of a profile are one as long as no pause exceeds the gap. A session ends at the
-- cap after its start: the next touchpoint begins another.
CREATE OR REPLACE VIEW sessions AS
WITH
    (SELECT argMax((mapKeys(directions), session_gap_ms, session_cap_ms), written_at) FROM journey_meanings) AS meanings,
    if(meanings.2 = 0, 30 * 60 * 1000, meanings.2) AS gap,
    if(meanings.3 = 0, 3 * 24 * 60 * 60 * 1000, meanings.3) AS cap
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
                WHERE NOT has(meanings.1, type)
            )
        )
        GROUP BY tenant, profile_id, source, session_id, run
    )
)
COMMENT 'Visits and conversations, as the journey state counts them; source and session_id are empty for those that no source named; number counts from 1, types are in order of time';
