-- Questions about the present state of people. The comment of each question declares its parameters, as
-- sinks/clickhouse/read/questions.py describes.

CREATE OR REPLACE VIEW people_now AS
SELECT
    toString(stage) AS stage,
    toString(arraySort((name, at) -> (-toUnixTimestamp64Milli(at), name), mapKeys(components), mapValues(components))[1])
        AS component,
    count() AS people,
    people / sum(people) OVER () AS people_share,
    quantileExactInclusive(0.5)(dwell) AS dwell_median_seconds,
    quantileExactInclusive(0.9)(dwell) AS dwell_p90_seconds
FROM (
    SELECT
        stage, components,
        (toUnixTimestamp64Milli({until:DateTime64(3, 'UTC')}) - toUnixTimestamp64Milli(stage_since)) / 1000 AS dwell
    FROM journeys
    WHERE tenant = {tenant:String}
        AND last_seen >= {since:DateTime64(3, 'UTC')} AND last_seen < {until:DateTime64(3, 'UTC')}
)
GROUP BY stage, component
ORDER BY people DESC, stage, component
COMMENT 'People whose newest touchpoint lies in the period, by lifecycle stage and by the component of that touchpoint. Dwell: seconds from entering the present stage to the end of the period, median and 90th percentile.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now\nExample: SELECT * FROM people_now(tenant = ''default'', since = now64(3) - INTERVAL 30 DAY, until = now64(3))';
