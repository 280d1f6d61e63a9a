-- Lifecycle stages over time, by the definition of streams/journeys/state/stages.py. Touchpoints of one time come in the
-- order of the lifecycle.

CREATE OR REPLACE VIEW stage_changes AS
WITH
    (SELECT groupArray((name, toString(stage), toInt64(stage_rank))) FROM touchpoint_types WHERE stage != '') AS staged,
    staged.1 AS names
SELECT
    {tenant:String} AS tenant, profile_id, change.2.3 AS from_stage, change.1.3 AS to_stage,
    fromUnixTimestamp64Milli(change.1.1, 'UTC') AS occurred_at,
    if(from_stage = '', NULL, (change.1.1 - change.2.1) / 1000) AS in_from_stage_seconds,
    number,
    change.1.4 AS channel, change.1.5 AS source, change.1.6 AS campaign
FROM (
    SELECT
        profile_id,
        -- time, rank, stage, channel, source, campaign
        arraySort(arrayFilter(step -> step.3 != '', arrayMap(
            (at, type, channel, source, campaign) -> (
                toUnixTimestamp64Milli(at),
                transform(toString(type), names, staged.3, toInt64(0)),
                if(at < {until:DateTime64(3, 'UTC')}, transform(toString(type), names, staged.2, ''), ''),
                toString(channel), toString(source), toString(campaign)
            ),
            step_at, step_type, step_channel, step_source, step_campaign
        ))) AS steps,
        arrayFilter(
            (step, before) -> step.3 != before.3, steps, arrayPopBack(arrayPushFront(steps, (toInt64(0), toInt64(0), '', '', '', '')))
        ) AS changes,
        arrayPopBack(arrayPushFront(changes, (toInt64(0), toInt64(0), '', '', '', ''))) AS befores
    FROM timelines
    WHERE tenant = {tenant:String} AND last_seen >= {since:DateTime64(3, 'UTC')}
        AND first_seen < {until:DateTime64(3, 'UTC')} AND hasAny(step_type, names)
)
ARRAY JOIN arrayZip(changes, befores) AS change, arrayMap(n -> toUInt64(n), arrayEnumerate(changes)) AS number
WHERE change.1.1 >= toUnixTimestamp64Milli({since:DateTime64(3, 'UTC')})
COMMENT 'Every change of a person''s lifecycle stage between since and until, as the journey state defines it, with the seconds in the stage before (NULL for the first stage, whose from_stage is empty), its number among the person''s changes, and the touchpoint that made it.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now\nExample: SELECT * FROM stage_changes(tenant = ''default'', since = now64() - INTERVAL 1 DAY, until = now64()) ORDER BY occurred_at DESC LIMIT 20';

CREATE OR REPLACE VIEW stage_transitions AS
SELECT
    from_stage,
    to_stage,
    count() AS transitions,
    uniqExact(profile_id) AS profiles,
    transitions / sum(transitions) OVER (PARTITION BY from_stage) AS share,
    quantileExact(0.5)(in_from_stage_seconds) AS median_seconds,
    quantileExact(0.9)(in_from_stage_seconds) AS p90_seconds
FROM stage_changes(
    tenant = {tenant:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')}
)
GROUP BY from_stage, to_stage
ORDER BY transitions DESC, from_stage, to_stage
COMMENT 'From which lifecycle stage people went to which between since and until: how often, how many of them, the share of all changes out of from_stage (0-1), and the seconds they had spent there. An empty from_stage is the beginning of a journey.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now\nExample: SELECT * FROM stage_transitions(tenant = ''default'', since = now64() - INTERVAL 30 DAY, until = now64()) ORDER BY transitions DESC';
