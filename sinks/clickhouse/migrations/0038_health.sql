-- Data health: what an analyst or an operator looks at before trusting a number. Hours are of reception.

CREATE OR REPLACE VIEW health_sources AS
SELECT
    hour,
    source,
    sum(counted) AS touchpoints,
    sum(late_ones) AS late,
    max(p50) AS late_p50_seconds,
    max(p99) AS late_p99_seconds,
    max(longest) AS late_max_seconds,
    max(least) AS late_min_seconds,
    sum(at_once) AS at_reception,
    sum(unknown) AS unknown_types,
    sum(repeated) AS copies
FROM (
    SELECT
        toStartOfHour(t.received_at) AS hour,
        toString(t.source) AS source,
        count() AS counted,
        countIf(seconds > {late_seconds:UInt64}) AS late_ones,
        quantileExact(0.5)((toUnixTimestamp64Milli(t.received_at) - toUnixTimestamp64Milli(t.occurred_at)) / 1000 AS seconds) AS p50,
        quantileExact(0.99)(seconds) AS p99,
        max(seconds) AS longest,
        min(seconds) AS least,
        countIf(seconds = 0) AS at_once,
        countIf(toString(t.type) NOT IN (SELECT name FROM touchpoint_types)) AS unknown,
        0 AS repeated
    FROM touchpoints_current AS t
    WHERE t.tenant = {tenant:String}
        AND t.received_at >= {since:DateTime64(3, 'UTC')} AND t.received_at < {until:DateTime64(3, 'UTC')}
    GROUP BY hour, source
    UNION ALL
    SELECT
        toStartOfHour(received_at) AS hour, toString(source) AS source, 0, 0, NULL, NULL, NULL, NULL, 0, 0, count()
    FROM touchpoint_copies
    WHERE tenant = {tenant:String}
        AND received_at >= {since:DateTime64(3, 'UTC')} AND received_at < {until:DateTime64(3, 'UTC')}
    GROUP BY hour, source
)
GROUP BY hour, source
ORDER BY hour, source
COMMENT 'What each source sent in each hour of reception: touchpoints that count; how late they came, in seconds between their own time and their reception (late: more than late_seconds); copies of events that do not count (repeats alike to the byte leave no trace); types that the catalogue does not name. Clock skew: late_min_seconds far above 0 is a clock that is behind, or a queue; at_reception counts touchpoints whose time is their reception, which is what a clock that is ahead gets.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, late_seconds UInt64 = 5m\nExample: SELECT hour, source, touchpoints, late, late_p99_seconds, copies, unknown_types FROM health_sources(tenant = ''default'', since = now64() - INTERVAL 1 DAY, until = now64(), late_seconds = 300) ORDER BY hour DESC, source';

CREATE OR REPLACE VIEW health_gaps AS
SELECT
    source,
    fromUnixTimestamp64Milli(from_ms, 'UTC') AS from_time,
    if(ongoing, NULL, fromUnixTimestamp64Milli(to_ms, 'UTC')) AS until_time,
    (to_ms - from_ms) / 1000 AS silent_seconds,
    ongoing,
    usual_seconds
FROM (
    SELECT
        *,
        quantileExactIf(0.99)((to_ms - from_ms) / 1000, NOT ongoing) OVER (PARTITION BY source) AS usual_seconds
    FROM (
        SELECT
            source,
            ms AS from_ms,
            leadInFrame(ms, 1, 0) OVER (
                PARTITION BY source ORDER BY ms ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING
            ) AS next_ms,
            toUInt8(next_ms = 0) AS ongoing,
            if(ongoing, toUnixTimestamp64Milli(least({until:DateTime64(3, 'UTC')}, now64(3, 'UTC'))), next_ms) AS to_ms
        FROM (
            SELECT DISTINCT toString(source) AS source, toUnixTimestamp64Milli(received_at) AS ms
            FROM touchpoints_current
            WHERE tenant = {tenant:String}
                AND received_at >= {since:DateTime64(3, 'UTC')} AND received_at < {until:DateTime64(3, 'UTC')}
        )
    )
)
WHERE silent_seconds >= {gap_seconds:UInt64}
ORDER BY ongoing DESC, silent_seconds DESC, source, from_time
COMMENT 'Silence: the times between two receptions of a source that took at least gap_seconds; ongoing (until_time is NULL) if nothing came since, up to until or now. usual_seconds is the length that 99 of 100 pauses of this source do not exceed.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, gap_seconds UInt64 = 1h\nExample: SELECT source, from_time, silent_seconds, usual_seconds FROM health_gaps(tenant = ''default'', since = now64() - INTERVAL 7 DAY, until = now64(), gap_seconds = 3600) WHERE ongoing';

CREATE OR REPLACE VIEW health_dead_letters AS
SELECT
    toStartOfHour(loaded_at) AS hour,
    reason,
    component,
    topic,
    count() AS letters,
    uniqExact(partition, offset) AS records,
    argMax(concat(topic, '/', toString(partition), '/', toString(offset)), (loaded_at, partition, offset)) AS newest_place
FROM dead_letters FINAL
WHERE loaded_at >= {since:DateTime64(3, 'UTC')} AND loaded_at < {until:DateTime64(3, 'UTC')}
GROUP BY hour, reason, component, topic
ORDER BY hour, reason, component, topic
COMMENT 'Dead letters of all tenants, by the hour in which they were loaded, reason, component and topic; newest_place is what `touchline dead-letters show` takes. A record that cannot be read has no source or tenant.\nParameters: since DateTime64 = 30d, until DateTime64 = now\nExample: SELECT reason, sum(letters) FROM health_dead_letters(since = now64() - INTERVAL 1 DAY, until = now64()) GROUP BY reason';

CREATE OR REPLACE VIEW health_tables AS
SELECT
    {tenant:String} AS tenant,
    name,
    rows,
    if(rows = 0, NULL, watermark) AS watermark,
    if(rows = 0, NULL, loaded) AS loaded_at,
    if(rows = 0, NULL, dateDiff('millisecond', loaded, now64(3, 'UTC')) / 1000) AS loaded_ago_seconds,
    if(rows = 0, NULL, dateDiff('millisecond', watermark, now64(3, 'UTC')) / 1000) AS behind_seconds
FROM (
    SELECT 'touchpoints_current' AS name, count() AS rows, max(occurred_at) AS watermark, max(loaded_at) AS loaded
    FROM raw_touchpoints WHERE tenant = {tenant:String}
    UNION ALL
    SELECT 'journeys' AS name, count() AS rows, max(as_of) AS watermark, max(loaded_at) AS loaded
    FROM raw_journey_states WHERE tenant = {tenant:String}
    UNION ALL
    SELECT 'signals_all' AS name, count() AS rows, max(occurred_at) AS watermark, max(loaded_at) AS loaded
    FROM raw_journey_signals WHERE tenant = {tenant:String}
    UNION ALL
    SELECT 'identity_current' AS name, count() AS rows, max(occurred_at) AS watermark, max(loaded_at) AS loaded
    FROM raw_identity_assignments WHERE tenant = {tenant:String}
    UNION ALL
    SELECT 'identity_links_current' AS name, count() AS rows, max(occurred_at) AS watermark, max(loaded_at) AS loaded
    FROM raw_identity_links WHERE tenant = {tenant:String}
    UNION ALL
    SELECT 'profile_changes' AS name, count() AS rows, max(occurred_at) AS watermark, max(loaded_at) AS loaded
    FROM profile_changes WHERE tenant = {tenant:String}
    UNION ALL
    SELECT 'accounts' AS name, count() AS rows, max(as_of) AS watermark, max(loaded_at) AS loaded
    FROM raw_account_states WHERE tenant = {tenant:String}
)
ORDER BY name
COMMENT 'How fresh each table is: stored rows (superseded ones too), the newest event time in it (watermark), when a row was written last, and the seconds since both.\nParameters: tenant String = default\nExample: SELECT name, watermark, loaded_ago_seconds FROM health_tables(tenant = ''default'')';

CREATE OR REPLACE VIEW health_loader AS
SELECT
    {tenant:String} AS tenant,
    toStartOfHour(loaded) AS hour,
    name,
    count() AS rows,
    quantileExact(0.5)(lag) AS p50_seconds,
    quantileExact(0.99)(lag) AS p99_seconds,
    max(lag) AS max_seconds
FROM (
    SELECT name, loaded, (toUnixTimestamp64Milli(loaded) - toUnixTimestamp64Milli(known)) / 1000 AS lag
    FROM (
        SELECT 'touchpoints_current' AS name, loaded_at AS loaded, received_at AS known
        FROM raw_touchpoints WHERE tenant = {tenant:String} AND owner_id = profile_id AND is_erased = 0
        UNION ALL
        SELECT 'identity_current' AS name, loaded_at AS loaded, published_at AS known
        FROM raw_identity_assignment_history WHERE tenant = {tenant:String}
    )
    WHERE loaded >= {since:DateTime64(3, 'UTC')} AND loaded < {until:DateTime64(3, 'UTC')}
)
GROUP BY hour, name
ORDER BY hour, name
COMMENT 'How long rows take until they can be asked for, by the hour of loading: from the reception of a touchpoint (rows rewritten for another owner are left out) and from the publication of a decision about identity to the row in ClickHouse. Imported history, which keeps its own time of reception, counts with its age.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now\nExample: SELECT hour, name, rows, p50_seconds, p99_seconds FROM health_loader(tenant = ''default'', since = now64() - INTERVAL 1 DAY, until = now64()) ORDER BY hour DESC';
