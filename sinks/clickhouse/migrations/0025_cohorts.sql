-- Cohorts by the week of the first inbound touchpoint, and friction by step and channel.

CREATE OR REPLACE VIEW cohorts AS
WITH
    604800000 AS week_ms,
    -- 1970 began on a Thursday: weeks begin on Monday
    259200000 AS shift,
    toUnixTimestamp64Milli({until:DateTime64(3, 'UTC')}) AS until_ms
SELECT
    segment,
    fromUnixTimestamp64Milli(cohort, 'UTC') AS cohort_start,
    week,
    people,
    countIf(has(weeks_active, cohort + toInt64(week) * week_ms)) AS active_people,
    active_people / people AS active_share
FROM (
    SELECT
        segment, cohort, weeks_active,
        count() OVER (PARTITION BY segment, cohort) AS people,
        count() OVER (PARTITION BY segment) AS size,
        arrayJoin(range(least({weeks:UInt64}, toUInt64(intDiv(until_ms - 1 - cohort, week_ms)) + 1))) AS week
    FROM (
        SELECT
            arrayMin(begins) AS cohort,
            begins AS weeks_active,
            multiIf(
                {by:String} = 'channel', arrayMin(met).2,
                {by:String} = 'campaign', arrayMin(arrayFilter(step -> step.2 != '', met)).2,
                ''
            ) AS segment
        FROM (
            SELECT
                arrayFilter(step -> step.3, arrayMap(
                    (at, type, channel, campaign) -> (
                        toUnixTimestamp64Milli(at),
                        if({by:String} = 'channel', toString(channel), toString(campaign)),
                        at < {until:DateTime64(3, 'UTC')} AND toString(type) NOT IN (SELECT name FROM catalogue_types FINAL WHERE is_deleted = 0 AND direction != 'inbound')
                    ),
                    step_at, step_type, step_channel, step_campaign
                )) AS met,
                arrayDistinct(arrayMap(step -> step.1 - positiveModulo(step.1 + shift, week_ms), met)) AS begins
            FROM timelines
            WHERE tenant = {tenant:String} AND last_seen >= {since:DateTime64(3, 'UTC')}
                AND first_seen < {until:DateTime64(3, 'UTC')}
        )
        WHERE notEmpty(met) AND met[1].1 >= toUnixTimestamp64Milli({since:DateTime64(3, 'UTC')})
            AND (SELECT throwIf({by:String} NOT IN ('', 'channel', 'campaign'), 'by is empty, channel or campaign')) = 0
    )
)
GROUP BY segment, cohort, week, people, size
ORDER BY size DESC, segment, cohort, week
COMMENT 'Retention of weekly cohorts. A cohort is the people whose first inbound touchpoint ever lies in that week (weeks begin on Monday, UTC) and in the period; active_people of them had an inbound touchpoint in the week that begins so many weeks later. Week 0 is the cohort''s own.\nby: empty, channel (of the first touchpoint) or campaign (the first that they carried). weeks: how many to show.\nParameters: tenant String = default, since DateTime64 = 90d, until DateTime64 = now, by String = '''', weeks UInt64 = 12\nExample: SELECT * FROM cohorts(tenant = ''default'', since = now64(3) - INTERVAL 90 DAY, until = now64(3), by = ''channel'', weeks = 12)';

CREATE OR REPLACE VIEW friction_spots AS
SELECT
    component,
    t.type AS step,
    toString(t.channel) AS channel,
    count() AS touchpoints,
    uniqExact(t.profile_id) AS people,
    sum(weight) AS friction,
    friction / sum(friction) OVER () AS friction_share,
    countIf(moment = 'ouch') AS ouch_moments
FROM (
    SELECT profile_id, toString(type) AS type, channel
    FROM touchpoints_current
    WHERE tenant = {tenant:String}
        AND occurred_at >= {since:DateTime64(3, 'UTC')} AND occurred_at < {until:DateTime64(3, 'UTC')}
) AS t
INNER JOIN (
    SELECT name, toString(component) AS component, friction AS weight, moment
    FROM catalogue_types FINAL
    WHERE is_deleted = 0 AND friction > 0
) AS c ON t.type = c.name
GROUP BY component, step, channel
ORDER BY friction DESC, component, step, channel
LIMIT {top:UInt64}
COMMENT 'Where journeys hurt: touchpoints whose type has a friction weight in the catalogue, by that type (the step) and channel. friction: the sum of the weights (0.5 a nuisance, 4 harmed); friction_share: of all friction of the period. The top rows.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, top UInt64 = 30\nExample: SELECT * FROM friction_spots(tenant = ''default'', since = now64(3) - INTERVAL 30 DAY, until = now64(3), top = 30)';
