-- Service cases by the definition of streams/journeys/state/issues.py: as the journey state counts them.

-- Each issue of a profile is folded over its touchpoints in order of time. Touchpoints of one time come in the order of
-- streams/journeys/state/instants.py: contacts (those that go on where the last contact was first), openings, solutions,
-- answers. The state keeps 100 open and 100 solved issues and 12 channels of an issue; the view keeps all. Contacts of one
-- issue at one millisecond over several channels are ordered by the channel's name alone.
CREATE OR REPLACE VIEW issues AS
WITH
    least({until:DateTime64(3, 'UTC')}, now64(3, 'UTC')) AS as_of,
    toUnixTimestamp64Milli(as_of) AS as_of_ms,
    (SELECT value FROM journey_settings FINAL WHERE is_deleted = 0 AND name = 'issue_overdue_ms') AS set_overdue,
    ifNull(set_overdue, 72 * 60 * 60 * 1000) AS overdue_ms,
    (
        SELECT mapFromArrays(groupArray(name), groupArray((if(alias_of = '', name, alias_of), toUInt8(kind = 'human'))))
        FROM catalogue_channels FINAL WHERE is_deleted = 0
    ) AS known_channels
SELECT
    {tenant:String} AS tenant,
    profile_id,
    issue_id,
    multiIf(state.1 = 2, 'solved', state.2 + overdue_ms < as_of_ms, 'overdue', 'open') AS status,
    fromUnixTimestamp64Milli(state.2, 'UTC') AS opened_at,
    fromUnixTimestamp64Milli(state.2 + overdue_ms, 'UTC') AS due_at,
    if(state.1 = 2, fromUnixTimestamp64Milli(state.3, 'UTC'), NULL) AS solved_at,
    fromUnixTimestamp64Milli(state.4, 'UTC') AS last_contact_at,
    state.5 AS contacts,
    state.6 AS separate_contacts,
    arraySort(state.11) AS channels,
    state.12 AS handoffs,
    state.13 AS reopened,
    toUInt8(state.10) AS first_contact,
    if(state.1 = 2, toUInt8(state.3 <= state.2 + overdue_ms), NULL) AS solved_in_time,
    if(state.1 = 2, (state.3 - state.2) / 1000, NULL) AS solve_seconds,
    fromUnixTimestamp64Milli(began.1, 'UTC') AS began_at,
    began.2 AS channel,
    began.3 AS type,
    began.4 AS owner,
    began.5 AS source,
    began.6 AS account_id
FROM (
    SELECT
        profile_id,
        issue_id,
        arraySort(groupArray((ms, steps))) AS instants,
        argMin(first_step, ms) AS began,
        arrayFold(
            (found, instant) -> arrayFold(
                (issue, step) -> arrayMap(
                    touched -> if(
                        step.5 = 0 OR step.4 = 2 OR touched.1 = 0,
                        touched,
                        (
                            touched.1, touched.2, touched.3,
                            if(touched.1 = 1, instant.1, touched.4),
                            toUInt32(touched.5 + (touched.1 = 1)),
                            toUInt32(touched.6 + (step.6 != touched.7 OR step.2 != touched.8)),
                            step.6,
                            step.2,
                            if(touched.1 = 1, step.7, touched.9),
                            toUInt8(touched.10 AND (touched.1 = 1 OR (step.6 = touched.7 AND step.2 = touched.8))),
                            if(touched.1 = 1 AND NOT has(touched.11, step.2), arrayPushBack(touched.11, step.2), touched.11),
                            toUInt32(touched.12 + (touched.1 = 1 AND step.7 = 1 AND touched.9 = 0)),
                            touched.13
                        )
                    ),
                    [(
                        toUInt8(multiIf(step.4 = 2, 2, (issue.1 = 0 AND step.4 != 3) OR (issue.1 = 2 AND step.4 = 1), 1, issue.1)),
                        if((issue.1 = 0 AND step.4 != 3) OR (issue.1 = 2 AND step.4 = 1), instant.1, issue.2),
                        multiIf(step.4 = 2 AND issue.1 != 2, instant.1, issue.1 = 2 AND step.4 = 1, toInt64(0), issue.3),
                        if(issue.1 = 0 AND step.4 != 3, instant.1, issue.4),
                        issue.5, issue.6, issue.7, issue.8, issue.9,
                        toUInt8(multiIf(step.4 = 2 AND issue.1 != 2, issue.6 <= 1, issue.1 = 2 AND step.4 = 1, 0, issue.10)),
                        issue.11, issue.12,
                        toUInt32(issue.13 + (issue.1 = 2 AND step.4 = 1))
                    )]
                )[1],
                arraySort(
                    step -> (step.1, NOT (found.1 = 1 AND step.5 = 1 AND step.6 = found.7 AND step.2 = found.8), step.2, step.3),
                    instant.2
                ),
                found
            ),
            instants,
            (
                toUInt8(0), toInt64(0), toInt64(0), toInt64(0), toUInt32(0), toUInt32(0), toUInt32(0), '', toUInt8(1),
                toUInt8(0), CAST([], 'Array(String)'), toUInt32(0), toUInt32(0)
            )
        ) AS state
    FROM (
        SELECT
            profile_id,
            issue_id,
            ms,
            groupArray((rank, channel, tie, effect, is_contact, session, is_human)) AS steps,
            argMin((ms, channel, type, owner, source, account_id), (rank, tie)) AS first_step
        FROM (
            SELECT
                t.profile_id AS profile_id,
                t.issue_id AS issue_id,
                toUnixTimestamp64Milli(t.occurred_at) AS ms,
                transform(kinds.effect, ['issue_opened', 'issue_solved', 'survey'], [1, 2, 3], 0) AS effect,
                effect AS rank,
                known_channels[toString(t.channel)] AS known,
                if(known.1 = '', toString(t.channel), known.1) AS channel,
                known.2 AS is_human,
                toString(t.type) AS type,
                toString(t.source) AS source,
                t.account_id AS account_id,
                kinds.owner AS owner,
                toUInt8(kinds.direction IN ('', 'inbound') AND effect != 3) AS is_contact,
                (source, t.session_id, type, t.event_id) AS tie,
                toUInt32(arrayFirst(
                    visit -> visit.1 = if(t.session_id = '', '', source) AND visit.2 = t.session_id
                        AND visit.3 <= ms AND ms <= visit.4,
                    visits.spans
                ).5) AS session
            FROM touchpoints_current AS t
            LEFT JOIN touchpoint_types AS kinds ON kinds.name = t.type
            LEFT JOIN (
                SELECT
                    profile_id,
                    groupArray((
                        toString(source), session_id,
                        toUnixTimestamp64Milli(started_at), toUnixTimestamp64Milli(last_at), number
                    )) AS spans
                FROM sessions
                WHERE tenant = {tenant:String} AND profile_id IN (
                    SELECT profile_id FROM touchpoints_current WHERE tenant = {tenant:String} AND issue_id != ''
                )
                GROUP BY profile_id
            ) AS visits ON visits.profile_id = t.profile_id
            WHERE t.tenant = {tenant:String} AND t.issue_id != '' AND t.occurred_at < as_of
        )
        GROUP BY profile_id, issue_id, ms
    )
    GROUP BY profile_id, issue_id
)
WHERE state.1 = 1 OR (state.1 = 2 AND state.3 >= toUnixTimestamp64Milli({since:DateTime64(3, 'UTC')}))
COMMENT 'Service cases of people that were open at some time between since and until, as of until (or now, if that is earlier), as the journey state counts them. contacts are the customer''s own while it was open; a contact is separate if its session or channel differs from the one before. first_contact: solved with at most one separate contact, and none followed. owner is the team of the type that began it; reopened counts.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now\nExample: SELECT status, count(), avg(contacts) FROM issues(tenant = ''default'', since = now64() - INTERVAL 30 DAY, until = now64()) GROUP BY status';

CREATE OR REPLACE VIEW service_contacts AS
SELECT
    t.tenant AS tenant, t.profile_id AS profile_id, t.occurred_at AS occurred_at, toString(t.type) AS type,
    toString(t.channel) AS channel, toString(t.source) AS source, t.issue_id AS issue_id, t.account_id AS account_id,
    t.event_id AS event_id
FROM touchpoints_current AS t
INNER JOIN (
    SELECT name FROM touchpoint_types
    WHERE component = 'service' AND direction = 'inbound' AND effect NOT IN ('survey', 'issue_solved')
) AS kinds ON kinds.name = t.type
WHERE t.tenant = {tenant:String} AND t.occurred_at >= {since:DateTime64(3, 'UTC')} AND t.occurred_at < {until:DateTime64(3, 'UTC')}
COMMENT 'Each time a customer turned to service between since and until: inbound touchpoints of the component service, but for answers to surveys and solutions that they found themselves.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now\nExample: SELECT channel, uniqExact(profile_id) AS people, count() FROM service_contacts(tenant = ''default'', since = now64() - INTERVAL 30 DAY, until = now64()) GROUP BY channel';

CREATE OR REPLACE VIEW next_contacts AS
WITH toInt64({within_seconds:UInt64}) * 1000 AS within_ms
SELECT * EXCEPT (found, solved_ms)
FROM (
    SELECT
        issues.* EXCEPT (contacts, channels, solved_at),
        assumeNotNull(issues.solved_at) AS solved_at,
        toUnixTimestamp64Milli(assumeNotNull(issues.solved_at)) AS solved_ms,
        arraySort(arrayFilter(
            contact -> contact.1 > solved_ms AND contact.1 <= solved_ms + within_ms, others.contacts
        )) AS found,
        length(found) AS contacts,
        toUInt8(empty(found)) AS avoided,
        if(avoided, NULL, (found[1].1 - solved_ms) / 1000) AS until_next_seconds,
        found[1].2 AS next_type,
        found[1].3 AS next_channel,
        found[1].4 AS next_issue_id
    FROM issues(
        tenant = {tenant:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')}
    ) AS issues
    LEFT JOIN (
        SELECT profile_id, groupArray((toUnixTimestamp64Milli(occurred_at), type, channel, issue_id)) AS contacts
        FROM service_contacts(
            tenant = {tenant:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')}
        )
        GROUP BY profile_id
    ) AS others ON others.profile_id = issues.profile_id
    WHERE issues.status = 'solved'
        AND issues.solved_at + toIntervalSecond({within_seconds:UInt64}) < least({until:DateTime64(3, 'UTC')}, now64(3, 'UTC'))
)
COMMENT 'Next-issue avoidance: of each issue that was solved between since and until, how often the customer needed service again within the seconds after it, about whatever. avoided is 1 if never. Issues whose seconds have not passed by until (or now) are left out, so that every issue had its chance.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, within_seconds UInt64 = 7d\nExample: SELECT avg(avoided) AS avoidance, topK(3)(next_type) FROM next_contacts(tenant = ''default'', since = now64() - INTERVAL 90 DAY, until = now64(), within_seconds = 604800)';

CREATE OR REPLACE VIEW service_quality AS
SELECT
    multiIf(
        {by:String} = 'channel', issues.channel,
        {by:String} = 'type', issues.type,
        {by:String} = 'owner', toString(issues.owner),
        {by:String} = 'source', issues.source,
        {by:String} = 'account', issues.account_id,
        ''
    ) AS segment,
    count() AS issues,
    countIf(issues.status = 'open') AS open,
    countIf(issues.status = 'overdue') AS overdue,
    countIf(issues.status = 'solved') AS solved,
    countIf(issues.solved_in_time = 1) AS solved_in_time,
    if(solved = 0, NULL, solved_in_time / solved) AS in_time_rate,
    countIf(issues.first_contact = 1) AS first_contact,
    if(solved = 0, NULL, first_contact / solved) AS first_contact_resolution_rate,
    avg(issues.contacts) AS contacts,
    countIf(issues.separate_contacts > 1) AS repeated,
    if(countIf(issues.separate_contacts > 0) = 0, NULL, repeated / countIf(issues.separate_contacts > 0)) AS repeat_contact_rate,
    countIf(length(issues.channels) > 1) AS several_channels,
    sum(issues.handoffs) AS handoffs,
    quantileExactIf(0.5)(issues.solve_seconds, issues.status = 'solved') AS solve_median_seconds,
    quantileExactIf(0.9)(issues.solve_seconds, issues.status = 'solved') AS solve_p90_seconds,
    countIf(ripe) AS followed,
    if(followed = 0, NULL, countIf(ripe AND avoided) / followed) AS next_issue_avoidance_rate
FROM (
    SELECT
        issues.*,
        toUnixTimestamp64Milli(ifNull(issues.solved_at, toDateTime64('1970-01-01 00:00:00', 3, 'UTC'))) AS solved_ms,
        toInt64({within_seconds:UInt64}) * 1000 AS within_ms,
        issues.status = 'solved'
            AND solved_ms + within_ms < toUnixTimestamp64Milli(least({until:DateTime64(3, 'UTC')}, now64(3, 'UTC'))) AS ripe,
        NOT arrayExists(at -> at > solved_ms AND at <= solved_ms + within_ms, others.times) AS avoided
    FROM issues(
        tenant = {tenant:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')}
    ) AS issues
    LEFT JOIN (
        SELECT profile_id, groupArray(toUnixTimestamp64Milli(occurred_at)) AS times
        FROM service_contacts(
            tenant = {tenant:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')}
        )
        GROUP BY profile_id
    ) AS others ON others.profile_id = issues.profile_id
) AS issues
WHERE (SELECT throwIf(
    {by:String} NOT IN ('', 'channel', 'type', 'owner', 'source', 'account'), 'by is empty, channel, type, owner, source or account'
)) = 0
GROUP BY segment
ORDER BY issues DESC, segment
COMMENT 'How service does, by the channel, type, owner (team), source or account that an issue began with; by = '''' gives one row. first_contact_resolution_rate and in_time_rate (solved until due) are shares of the solved; repeat_contact_rate is the share of issues with more than one separate contact; next_issue_avoidance_rate the share of the solved without another service contact within the seconds after (followed counts those whose seconds have passed). Shares 0-1, NULL without any.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, by String = '''', within_seconds UInt64 = 7d\nExample: SELECT segment, issues, first_contact_resolution_rate, repeat_contact_rate, next_issue_avoidance_rate FROM service_quality(tenant = ''default'', since = now64() - INTERVAL 30 DAY, until = now64(), by = ''channel'', within_seconds = 604800) ORDER BY issues DESC';
