-- Funnels. Times are milliseconds since 1970 as Int64, so they are exact and may be negative. An event is its time shifted
-- left by five bits plus the number of its step: arrays of plain integers make the fold three times as fast.

-- Accounts and experiments stand on touchpoints only, all other dimensions on timelines too, which are in order already.
-- The fold keeps for each step the latest start of an attempt that has reached it (`starts`), and of the best attempt its
-- depth, its start and the place of its last event. An attempt that starts later has more of the window left, so an older
-- one that has reached the same step can be forgotten. A second, greedy pass over the best attempt finds its times.
CREATE OR REPLACE VIEW funnel AS
WITH
    {steps:Array(String)} AS steps,
    {order:String} AS chosen,
    {by:String} AS dimension,
    {per:String} AS unit,
    arrayMap(step -> toInt64(indexOf(steps, step)), steps) AS numbers,
    toInt64(least({within_seconds:UInt64}, 10000000000)) * 1000 AS within,
    toInt64(-9007199254740992) AS never,
    arrayMap(number -> never, numbers) AS nothing
SELECT
    segment,
    step,
    if(chosen = 'any', concat('any ', toString(step)), steps[step]) AS type,
    reached,
    stopped,
    reached / entered AS from_first_share,
    if(step = 1, 1, if(before = 0, 0, reached / before)) AS from_previous_share,
    median_seconds,
    p90_seconds,
    from_first_median_seconds
FROM (
    SELECT
        segment, step,
        countIf(depth >= step) AS reached,
        countIf(depth = step) AS stopped,
        quantileExactInclusiveOrNullIf(0.5)((times[step] - times[step - 1]) / 1000, depth >= step AND step > 1) AS median_seconds,
        quantileExactInclusiveOrNullIf(0.9)((times[step] - times[step - 1]) / 1000, depth >= step AND step > 1) AS p90_seconds,
        quantileExactInclusiveOrNullIf(0.5)((times[step] - times[1]) / 1000, depth >= step AND step > 1) AS from_first_median_seconds,
        max(reached) OVER (PARTITION BY segment) AS entered,
        lagInFrame(reached, 1, reached) OVER (PARTITION BY segment ORDER BY step ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)
            AS before
    FROM (
        SELECT
            multiIf(
                chosen = 'any', best.6,
                chosen = 'adjacent',
                arrayMap(event -> bitShiftRight(event, 5), arraySlice(events, best.5 - best.3 + 1, best.3)),
                best.3 = 1, [best.4],
                arrayFold(
                    (taken, event) -> if(
                        bitAnd(event, 31) = numbers[length(taken) + 1]
                            AND (chosen != 'strict' OR empty(taken) OR bitShiftRight(event, 5) > taken[-1]),
                        arrayPushBack(taken, bitShiftRight(event, 5)),
                        taken
                    ),
                    arrayFilter(event -> bitShiftRight(event, 5) >= best.4, arraySlice(events, 1, if(best.3 = 1, 0, best.5))),
                    CAST([], 'Array(Int64)')
                )
            ) AS times,
            length(times) AS depth,
            multiIf(
                dimension IN ('first_type', 'first_channel'), arrayMin(values).2,
                arrayMax(arrayPushFront(arrayFilter(value -> value.1 <= times[1], values), (never, ''))).2
            ) AS segment,
            arrayJoin(arrayEnumerate(steps)) AS step
        FROM (
            SELECT events, values, arrayFold(
                (state, event, place) -> (
                    multiIf(
                        chosen = 'any',
                        arrayMap(
                            (number, own) -> if(number = bitAnd(event, 31), bitShiftRight(event, 5), own), numbers, state.1
                        ),
                        bitAnd(event, 31) = 0, nothing,
                        arrayMap(
                            (number, own, start) -> if(
                                number = bitAnd(event, 31) AND bitShiftRight(event, 5) - start <= within
                                    AND (chosen = 'adjacent' OR start > own),
                                start,
                                if(chosen = 'adjacent', never, own)
                            ),
                            numbers,
                            state.1,
                            arrayPushFront(
                                arrayPopBack(if(
                                    chosen = 'strict' AND bitShiftRight(event, 5) = bitShiftRight(state.7, 5),
                                    state.2, state.1
                                )),
                                bitShiftRight(event, 5)
                            )
                        )
                    ) AS starts,
                    if(chosen != 'strict' OR bitShiftRight(event, 5) = bitShiftRight(state.7, 5), state.2, state.1),
                    greatest(state.3, if(
                        chosen = 'any',
                        arrayCount(start -> bitShiftRight(event, 5) - start <= within, starts),
                        arrayLastIndex(start -> start > never, starts)
                    ) AS reached),
                    if(reached > state.3, starts[reached], state.4),
                    if(reached > state.3, place, state.5),
                    if(
                        chosen = 'any' AND reached > state.3,
                        arraySort(arrayFilter(start -> bitShiftRight(event, 5) - start <= within, starts)),
                        state.6
                    ),
                    event
                ),
                events,
                arrayEnumerate(events),
                (
                    nothing, nothing, toUInt64(0), never, toUInt64(0), CAST([], 'Array(Int64)'), bitShiftLeft(never, 5)
                )
            ) AS best
            FROM (
                SELECT
                    arraySort(arrayFilter(event -> event != never, arrayMap(
                        (at, type) -> if(
                            at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')}
                                AND (has(steps, toString(type)) OR chosen = 'adjacent' AND toString(type) NOT IN (SELECT name FROM catalogue_types FINAL WHERE is_deleted = 0 AND direction != 'inbound')),
                            bitShiftLeft(toUnixTimestamp64Milli(at), 5) + toInt64(indexOf(steps, toString(type))),
                            never
                        ),
                        step_at, step_type
                    ))) AS events,
                    if(
                        dimension = '', CAST([], 'Array(Tuple(Int64, String))'),
                        arrayFilter(value -> value.2 != '', arrayMap(
                            (at, type, channel, source, campaign) -> (
                                toUnixTimestamp64Milli(at),
                                multiIf(
                                    NOT (at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')}), '',
                                    dimension = 'channel', if(has(steps, toString(type)), toString(channel), ''),
                                    dimension = 'source', if(has(steps, toString(type)), toString(source), ''),
                                    dimension = 'campaign', toString(campaign),
                                    dimension = 'first_type', toString(type),
                                    dimension = 'first_channel', toString(channel),
                                    ''
                                )
                            ),
                            step_at, step_type, step_channel, step_source, step_campaign
                        ))
                    ) AS values
                FROM timelines
                WHERE tenant = if(
                        unit = 'person' AND dimension IN ('', 'channel', 'source', 'campaign', 'first_type', 'first_channel'),
                        {tenant:String}, ''
                    )
                    AND last_seen >= {since:DateTime64(3, 'UTC')} AND first_seen < {until:DateTime64(3, 'UTC')}
                    AND hasAny(step_type, steps)
                UNION ALL
                SELECT
                    arraySort(groupArrayIf(
                        bitShiftLeft(ms, 5) + toInt64(indexOf(steps, type)),
                        has(steps, type) OR chosen = 'adjacent' AND type NOT IN (SELECT name FROM catalogue_types FINAL WHERE is_deleted = 0 AND direction != 'inbound')
                    )) AS events,
                    groupArrayIf((ms, value), value != '') AS values
                FROM (
                    SELECT
                        profile_id, visit, type, toUnixTimestamp64Milli(occurred_at) AS ms,
                        multiIf(
                            dimension = 'channel', if(has(steps, type), channel, ''),
                            dimension = 'source', if(has(steps, type), source, ''),
                            dimension = 'campaign', campaign,
                            dimension = 'account', account_id,
                            startsWith(dimension, 'experiment:'), experiments[substring(dimension, 12)],
                            dimension = 'first_type', type,
                            dimension = 'first_channel', channel,
                            ''
                        ) AS value
                    FROM (
                        SELECT
                            profile_id, toUInt64(0) AS visit, occurred_at, toString(type) AS type, toString(channel) AS channel,
                            toString(source) AS source, toString(campaign) AS campaign, account_id, experiments
                        FROM touchpoints_current
                        WHERE unit = 'person' AND (dimension = 'account' OR startsWith(dimension, 'experiment:'))
                            AND tenant = {tenant:String}
                            AND occurred_at >= {since:DateTime64(3, 'UTC')} AND occurred_at < {until:DateTime64(3, 'UTC')}
                            AND (has(steps, toString(type)) OR chosen = 'adjacent' OR dimension NOT IN ('', 'channel', 'source'))
                        UNION ALL
                        SELECT
                            t.profile_id, s.number AS visit, t.occurred_at, t.kind AS type, t.channel, t.source, t.campaign,
                            t.account_id, t.experiments
                        FROM (
                            SELECT
                                profile_id, occurred_at, toString(type) AS kind, toString(channel) AS channel,
                                toString(source) AS source, toString(campaign) AS campaign, account_id, experiments,
                                session_id, if(session_id = '', '', source) AS named_by
                            FROM touchpoints_current
                            WHERE unit = 'session' AND tenant = {tenant:String}
                                AND occurred_at >= {since:DateTime64(3, 'UTC')} AND toString(type) NOT IN (SELECT name FROM catalogue_types FINAL WHERE is_deleted = 0 AND direction != 'inbound')
                                AND (has(steps, toString(type)) OR chosen = 'adjacent' OR dimension NOT IN ('', 'channel', 'source'))
                        ) AS t
                        ASOF INNER JOIN (
                            SELECT profile_id, number, toString(source) AS source, session_id, started_at, last_at
                            FROM sessions
                            WHERE tenant = if(unit = 'session', {tenant:String}, '')
                                AND started_at >= {since:DateTime64(3, 'UTC')} AND started_at < {until:DateTime64(3, 'UTC')}
                                AND hasAny(types, steps)
                        ) AS s
                            ON t.profile_id = s.profile_id AND t.named_by = s.source AND t.session_id = s.session_id
                                AND t.occurred_at >= s.started_at
                        WHERE t.occurred_at <= s.last_at
                    )
                    WHERE (SELECT throwIf(empty(steps) OR length(steps) > 30, 'a funnel has 1 to 30 steps')) = 0
                        AND (SELECT throwIf(
                            chosen = 'any' AND length(arrayDistinct(steps)) < length(steps), 'in any order each step is named once'
                        )) = 0
                        AND (SELECT throwIf(chosen NOT IN ('ordered', 'strict', 'adjacent', 'any'), 'order is ordered, strict, adjacent or any')) = 0
                        AND (SELECT throwIf(unit NOT IN ('person', 'session'), 'per is person or session')) = 0
                        AND (SELECT throwIf(
                            dimension NOT IN ('', 'channel', 'source', 'campaign', 'account', 'first_type', 'first_channel')
                                AND NOT startsWith(dimension, 'experiment:'),
                            'by is empty, channel, source, campaign, account, first_type, first_channel or experiment:NAME'
                        )) = 0
                )
                GROUP BY profile_id, visit
            )
        )
        WHERE best.3 > 0
    )
    GROUP BY segment, step
)
QUALIFY dense_rank() OVER (ORDER BY entered DESC, segment) <= {top:UInt64}
ORDER BY entered DESC, segment, step
COMMENT 'How many people (or sessions) went how far along steps, which are types of touchpoints. Of each the attempt counts that went furthest, of equal ones the first to get there. An attempt begins with the first step and lies within within_seconds. stopped: how many went no further; median_seconds and p90_seconds: from the step before.\norder: ordered (touchpoints of one millisecond are taken in the order of steps), strict (each step in a later millisecond), adjacent (no other inbound touchpoint in between), any (any order: step 2 is any two of the types). per: person (their touchpoints of the period), or session (of those that began in the period). by: empty, channel or source (of the first step), campaign, account or experiment:NAME (the newest at or before the first step), first_type or first_channel (of the first touchpoint): the top segments by size.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, steps Array(String), within_seconds UInt64 = 7d, order String = ordered, per String = person, by String = '''', top UInt64 = 10\nExample: SELECT * FROM funnel(tenant = ''default'', since = now64(3) - INTERVAL 30 DAY, until = now64(3), steps = [''product_view'', ''add_to_cart'', ''order_placed''], within_seconds = 604800, order = ''ordered'', per = ''person'', by = ''channel'', top = 10)';
