-- Questions about channels. Periods are cut by arithmetic on milliseconds: ClickHouse's functions for dates end in 1970.

CREATE OR REPLACE VIEW channel_mix AS
WITH
    multiIf({period:String} = 'hour', 3600000, {period:String} = 'day', 86400000, 604800000) AS size,
    -- 1970 began on a Thursday: weeks begin on Monday
    if({period:String} = 'week', 259200000, 0) AS shift
SELECT
    fromUnixTimestamp64Milli(begin, 'UTC') AS period_start,
    channel,
    count() AS touchpoints,
    countIf(type NOT IN (SELECT name FROM catalogue_types FINAL WHERE is_deleted = 0 AND direction != 'inbound')) AS inbound,
    uniqExact(profile_id) AS people,
    touchpoints / sum(touchpoints) OVER (PARTITION BY begin) AS touchpoints_share
FROM (
    SELECT
        profile_id, toString(channel) AS channel, toString(type) AS type, toUnixTimestamp64Milli(occurred_at) AS ms,
        ms - positiveModulo(ms + shift, size) AS begin
    FROM touchpoints_current
    WHERE tenant = {tenant:String}
        AND occurred_at >= {since:DateTime64(3, 'UTC')} AND occurred_at < {until:DateTime64(3, 'UTC')}
        AND (SELECT throwIf({period:String} NOT IN ('hour', 'day', 'week'), 'period is hour, day or week')) = 0
)
GROUP BY begin, channel
ORDER BY begin, touchpoints DESC, channel
COMMENT 'Touchpoints by channel and period: how many, how many of them inbound, of how many people, and the share of the period. Weeks begin on Monday, times are UTC.\nperiod: hour, day or week.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, period String = day\nExample: SELECT * FROM channel_mix(tenant = ''default'', since = now64(3) - INTERVAL 30 DAY, until = now64(3), period = ''day'')';

CREATE OR REPLACE VIEW channel_matrix AS
SELECT
    from_channel,
    to_channel,
    count() AS switches,
    uniqExact(profile_id) AS people,
    switches / sum(switches) OVER (PARTITION BY from_channel) AS from_share
FROM channel_switch_events
WHERE tenant = {tenant:String}
    AND occurred_at >= {since:DateTime64(3, 'UTC')} AND occurred_at < {until:DateTime64(3, 'UTC')}
GROUP BY from_channel, to_channel
ORDER BY from_channel, switches DESC, to_channel
COMMENT 'From which channel people went to which within the period, as the journey state counts switches of inbound touchpoints; from_share: of the switches from that channel.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now\nExample: SELECT * FROM channel_matrix(tenant = ''default'', since = now64(3) - INTERVAL 30 DAY, until = now64(3))';

-- Of the touchpoints of one time, digital ones come first: a switch to a human channel and back needs two times.
CREATE OR REPLACE VIEW handoffs AS
WITH
    (SELECT groupArray(name) FROM catalogue_channels FINAL WHERE is_deleted = 0 AND kind = 'human') AS human_channels
SELECT
    step.4 AS from_channel,
    step.5 AS preceded_by,
    next.4 AS to_channel,
    next.5 AS answered_by,
    count() AS times,
    uniqExact(profile_id) AS people,
    countIf(step.6 != '' AND step.6 = next.6) AS same_issue,
    times / sum(times) OVER () AS times_share,
    quantileExactInclusive(0.5)((next.1 - step.1) / 1000) AS median_seconds
FROM (
    SELECT profile_id, arrayJoin(arrayZip(arrayPopBack(way), arrayPopFront(way))) AS pair, pair.1 AS step, pair.2 AS next
    FROM (
        SELECT profile_id, arraySort(arrayFilter(step -> step.5 != '', arrayMap(
            (at, channel, type, source, issue_id) -> (
                toUnixTimestamp64Milli(at), toString(channel) IN (SELECT name FROM catalogue_channels FINAL WHERE is_deleted = 0 AND kind = 'human'), toString(source), toString(channel),
                if(
                    at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')}
                        AND toString(type) NOT IN (SELECT name FROM catalogue_types FINAL WHERE is_deleted = 0 AND direction != 'inbound'),
                    toString(type), ''
                ),
                issue_id
            ),
            step_at, step_channel, step_type, step_source, step_issue_id
        ))) AS way
        FROM timelines
        WHERE tenant = {tenant:String} AND hasAny(step_channel, human_channels)
            AND last_seen >= {since:DateTime64(3, 'UTC')} AND first_seen < {until:DateTime64(3, 'UTC')}
            AND length(way) > 1
    )
)
WHERE step.2 = 0 AND next.2 = 1 AND next.1 - step.1 <= toInt64(least({within_seconds:UInt64}, 10000000000)) * 1000
GROUP BY from_channel, preceded_by, to_channel, answered_by
ORDER BY times DESC, from_channel, preceded_by, to_channel, answered_by
LIMIT {top:UInt64}
COMMENT 'Hand-offs from a digital to a human channel: an inbound touchpoint on a human channel at most within_seconds after the person''s inbound touchpoint before it, which was on a digital one. preceded_by: the type of that touchpoint; same_issue: how often both name one issue; median_seconds: between them. The top rows.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, within_seconds UInt64 = 1d, top UInt64 = 30\nExample: SELECT * FROM handoffs(tenant = ''default'', since = now64(3) - INTERVAL 30 DAY, until = now64(3), within_seconds = 86400, top = 30)';
