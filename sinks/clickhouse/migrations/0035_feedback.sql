-- What customers answer to surveys, and which stage, channel and team the answer is about.

CREATE OR REPLACE VIEW survey_answers AS
SELECT * EXCEPT (good_from, bad_until, felt)
FROM (
    SELECT
        given.tenant AS tenant, given.profile_id AS profile_id,
        fromUnixTimestamp64Milli(given.ms, 'UTC') AS occurred_at,
        given.kind AS kind, given.value AS value,
        arrayLast(change -> change.1 <= given.ms, changes.steps).3 AS stage,
        given.channel AS channel, given.source AS source, given.campaign AS campaign, given.account_id AS account_id,
        given.issue_id AS issue_id, given.event_id AS event_id,
        arrayLast(met -> met.1 < given.ms, about.met) AS felt,
        felt.6 AS owner, felt.3 AS about_type, felt.4 AS about_channel,
        transform(given.kind, ['NPS', 'CSAT', 'CES'], [9, 4, 5], 100) AS good_from,
        transform(given.kind, ['NPS', 'CSAT', 'CES'], [6, 2, 3], -1) AS bad_until,
        multiIf(given.value >= good_from, 'good', given.value <= bad_until, 'bad', 'neither') AS verdict
    FROM (
        SELECT
            tenant, profile_id, toUnixTimestamp64Milli(occurred_at) AS ms, toString(score_kind) AS kind,
            assumeNotNull(score_value) AS value, toString(t.channel) AS channel, toString(t.source) AS source,
            toString(t.campaign) AS campaign, account_id, issue_id, event_id
        FROM touchpoints_current AS t
        WHERE tenant = {tenant:String} AND score_value IS NOT NULL
            AND occurred_at >= {since:DateTime64(3, 'UTC')} AND occurred_at < {until:DateTime64(3, 'UTC')}
    ) AS given
    LEFT JOIN (
        SELECT profile_id, arraySort(groupArray((toUnixTimestamp64Milli(occurred_at), number, to_stage))) AS steps
        FROM stage_changes(
            tenant = {tenant:String}, since = toDateTime64('1900-01-01 00:00:00', 3, 'UTC'),
            until = {until:DateTime64(3, 'UTC')}
        )
        GROUP BY profile_id
    ) AS changes ON changes.profile_id = given.profile_id
    LEFT JOIN (
        SELECT
            t.profile_id AS profile_id,
            arraySort(groupArray((
                toUnixTimestamp64Milli(t.occurred_at), kinds.friction, toString(t.type), toString(t.channel), t.event_id,
                toString(kinds.owner)
            ))) AS met
        FROM touchpoints_current AS t
        INNER JOIN (
            SELECT name, owner, friction FROM touchpoint_types WHERE direction != 'outbound' AND effect != 'survey'
        ) AS kinds ON kinds.name = t.type
        WHERE t.tenant = {tenant:String} AND t.occurred_at < {until:DateTime64(3, 'UTC')}
            AND t.profile_id IN (
                SELECT profile_id FROM touchpoints_current
                WHERE tenant = {tenant:String} AND score_value IS NOT NULL
                    AND occurred_at >= {since:DateTime64(3, 'UTC')} AND occurred_at < {until:DateTime64(3, 'UTC')}
            )
        GROUP BY profile_id
    ) AS about ON about.profile_id = given.profile_id
)
COMMENT 'Every answer to a survey between since and until: NPS 0-10, CSAT 1-5, CES 1-7 (7 is easy), the verdict as the journey state sees it (NPS from 9, CSAT from 4, CES from 5 is good; up to 6, 2, 3 is bad), the person''s lifecycle stage at the time, and what it is about: the last touchpoint before it that was neither a survey nor sent by us (of one millisecond the one with the most friction), with the team that owns it.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now\nExample: SELECT occurred_at, value, owner, about_type FROM survey_answers(tenant = ''default'', since = now64() - INTERVAL 7 DAY, until = now64()) WHERE kind = ''NPS'' AND verdict = ''bad''';

CREATE OR REPLACE VIEW scores AS
SELECT
    kind,
    multiIf(
        {by:String} = 'stage', stage,
        {by:String} = 'channel', channel,
        {by:String} = 'owner', owner,
        {by:String} = 'about_type', about_type,
        {by:String} = 'source', source,
        {by:String} = 'campaign', campaign,
        {by:String} = 'account', account_id,
        {by:String} = 'day', toString(toDate(occurred_at)),
        ''
    ) AS segment,
    count() AS answers,
    uniqExact(profile_id) AS profiles,
    avg(value) AS mean,
    countIf(verdict = 'good') AS good,
    countIf(verdict = 'bad') AS bad,
    good / answers AS good_share,
    bad / answers AS bad_share,
    100 * if(kind = 'NPS', good_share - bad_share, good_share) AS score,
    1.959964 * 100 * sqrt(
        if(kind = 'NPS', good_share + bad_share - pow(good_share - bad_share, 2), good_share * (1 - good_share)) / answers
    ) AS margin
FROM survey_answers(
    tenant = {tenant:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')}
)
WHERE (SELECT throwIf(
    {by:String} NOT IN ('', 'stage', 'channel', 'owner', 'about_type', 'source', 'campaign', 'account', 'day'),
    'by is empty, stage, channel, owner, about_type, source, campaign, account or day'
)) = 0
GROUP BY kind, segment
ORDER BY kind, answers DESC, segment
COMMENT 'Survey scores by stage, channel, owner (the team), about_type, source, campaign, account or day; by = '''' gives one row a kind. score is NPS (promoters less detractors, -100 to 100), or for CSAT and CES the good answers in per cent; margin is half the width of its 95% confidence interval (normal approximation: for fewer than 30 answers read it as a hint).\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, by String = ''''\nExample: SELECT segment AS owner, answers, score, margin FROM scores(tenant = ''default'', since = now64() - INTERVAL 90 DAY, until = now64(), by = ''owner'') WHERE kind = ''NPS'' ORDER BY score';
