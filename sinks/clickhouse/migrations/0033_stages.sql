-- Lifecycle stages over time, by the definition of streams/journeys/state/stages.py. Touchpoints of one time come in the
-- order of the lifecycle.

CREATE OR REPLACE VIEW stage_changes AS
SELECT
    {tenant:String} AS tenant, profile_id, from_stage, stage AS to_stage,
    fromUnixTimestamp64Milli(ms, 'UTC') AS occurred_at,
    if(from_stage = '', NULL, (ms - since_ms) / 1000) AS in_from_stage_seconds,
    number,
    channel, source, campaign
FROM (
    SELECT
        *,
        lagInFrame(stage) OVER changes AS from_stage,
        lagInFrame(ms) OVER changes AS since_ms,
        row_number() OVER changes AS number
    FROM (
        SELECT *
        FROM (
            SELECT
                t.profile_id AS profile_id,
                toUnixTimestamp64Milli(t.occurred_at) AS ms,
                toString(kinds.stage) AS stage,
                kinds.stage_rank AS rank,
                toString(t.channel) AS channel, toString(t.source) AS source, toString(t.campaign) AS campaign,
                t.event_id AS event_id,
                lagInFrame(stage) OVER (
                    PARTITION BY profile_id ORDER BY ms, rank, channel, source, event_id
                    ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
                ) AS before
            FROM touchpoints_current AS t
            INNER JOIN (
                SELECT name, stage, stage_rank FROM touchpoint_types WHERE stage != ''
            ) AS kinds ON kinds.name = t.type
            WHERE t.tenant = {tenant:String} AND t.occurred_at < {until:DateTime64(3, 'UTC')}
        )
        WHERE stage != before
    )
    WINDOW changes AS (
        PARTITION BY profile_id ORDER BY ms, rank, channel, source, event_id
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
)
WHERE ms >= toUnixTimestamp64Milli({since:DateTime64(3, 'UTC')})
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
