-- Attribution: paths of touches to conversions, and the credit that each model gives to touches.

-- A path is what a person touched since the conversion before. Rare values are put together before any model sees them.
CREATE OR REPLACE VIEW conversion_paths AS
WITH
    {by:String} AS dimension,
    (SELECT groupArray(name) FROM catalogue_types FINAL WHERE is_deleted = 0 AND effect = 'order_placed') AS ordering,
    (
        SELECT groupArray(name) FROM catalogue_types FINAL
        WHERE is_deleted = 0 AND component = 'marketing' AND direction != 'internal'
    ) AS marketing,
    if(empty({goals:Array(String)}), ordering, {goals:Array(String)}) AS converting,
    if(empty({touch_types:Array(String)}), marketing, {touch_types:Array(String)}) AS touching,
    -- `transform` looks a type up in a hash table; it takes no empty arrays
    arrayPushBack(touching, '') AS touch_names,
    arrayMap(name -> toUInt8(1), touch_names) AS touch_ones,
    toInt64(least({within_seconds:UInt64}, 10000000000)) * 1000 AS within,
    toUnixTimestamp64Milli({since:DateTime64(3, 'UTC')}) AS since_ms,
    -- as a time, so that ClickHouse reads the months concerned only; none is before 1900
    fromUnixTimestamp64Milli(greatest(since_ms - within, toInt64(-2208988800000)), 'UTC') AS earliest,
    toInt64(-9007199254740992) AS never,
    (
        SELECT groupArray(value) FROM (
            SELECT value
            FROM (
                SELECT arrayJoin(arrayFilter(value -> value != '', arrayMap(
                    (at, type, value) -> if(
                        transform(toString(type), touch_names, touch_ones, toUInt8(0)) = 1 AND at >= earliest AND at < {until:DateTime64(3, 'UTC')},
                        toString(value), ''
                    ),
                    step_at, step_type, multiIf(
                        dimension = 'channel', step_channel, dimension = 'source', step_source, step_campaign
                    )
                ))) AS value
                FROM timelines
                WHERE tenant = {tenant:String} AND last_seen >= earliest AND first_seen < {until:DateTime64(3, 'UTC')}
            )
            GROUP BY value
            ORDER BY count() DESC, value
            LIMIT {top:UInt64}
        )
    ) AS frequent
SELECT
    profile_id,
    converted,
    if(converted, fromUnixTimestamp64Milli(end_ms, 'UTC'), NULL) AS converted_at,
    goal.2 AS goal_type,
    goal.3 AS order_id,
    goal.4 AS amount_minor,
    goal.5 AS currency,
    if(empty(own), ['(nothing)'], own.2) AS touches,
    if(empty(own), [0.], arrayMap(at -> (if(converted, end_ms, own[-1].1) - at) / 1000, own.1)) AS ages_seconds
FROM (
    SELECT
        profile_id, goal, end_ms, converted,
        arrayFilter(
            touch -> touch.1 > begin_ms AND touch.1 <= end_ms
                AND if(converted, end_ms - touch.1 <= within, touch.1 >= since_ms),
            touches
        ) AS own
    FROM (
        SELECT
            profile_id, touches, goal,
            goal.1 AS end_ms,
            goal.2 != '' AS converted,
            arrayMax(arrayPushFront(arrayFilter(at -> at < goal.1, goals.1), never)) AS begin_ms
        FROM (
            SELECT
                profile_id, touches, goals,
                arrayJoin(arrayPushBack(goals, (toInt64(9007199254740992), '', '', toInt64(0), ''))) AS goal
            FROM (
                SELECT
                    profile_id, touches,
                    -- several touchpoints may tell of one order: the first counts, with the first amount that is stated
                    arrayMap(
                        told -> if(
                            told.3 = '' OR told.5 != '', told,
                            (
                                told.1, told.2, told.3,
                                arrayFirst(other -> other.3 = told.3 AND other.5 != '', stated).4,
                                arrayFirst(other -> other.3 = told.3 AND other.5 != '', stated).5
                            )
                        ),
                        arrayFilter(
                            (told, place) -> told.3 = '' OR place = arrayFirstIndex(other -> other.3 = told.3, stated),
                            stated, arrayEnumerate(stated)
                        )
                    ) AS goals
                FROM (
                    SELECT profile_id, groupArrayArray(touches) AS touches, arraySort(groupArrayArray(stated)) AS stated
                    FROM (
                        SELECT
                            profile_id,
                            arraySort(arrayConcat(
                                arrayFilter(touch -> touch.2 != '', arrayMap(
                                    (at, type, value) -> (
                                        toUnixTimestamp64Milli(at),
                                        multiIf(
                                            transform(toString(type), touch_names, touch_ones, toUInt8(0)) = 0 OR at < earliest
                                                OR at >= {until:DateTime64(3, 'UTC')}, '',
                                            value = '', '(none)',
                                            has(frequent, toString(value)), toString(value),
                                            '(other)'
                                        )
                                    ),
                                    step_at, step_type, multiIf(
                                        dimension = 'channel', step_channel, dimension = 'source', step_source, step_campaign
                                    )
                                )),
                                arrayMap(
                                    at -> (toUnixTimestamp64Milli(at), '(direct)'),
                                    arrayFilter(
                                        (at, types) -> at >= earliest AND at < {until:DateTime64(3, 'UTC')}
                                            AND NOT arrayExists(
                                                type -> transform(toString(type), touch_names, touch_ones, toUInt8(0)) = 1, types
                                            ),
                                        session_started_at, session_types
                                    )
                                )
                            )) AS touches,
                            CAST([], 'Array(Tuple(Int64, String, String, Int64, String))') AS stated
                        FROM timelines
                        WHERE tenant = {tenant:String} AND last_seen >= earliest
                            AND first_seen < {until:DateTime64(3, 'UTC')}
                            AND (SELECT throwIf(dimension NOT IN ('channel', 'source', 'campaign'), 'by is channel, source or campaign')) = 0
                        UNION ALL
                        SELECT
                            profile_id,
                            CAST([], 'Array(Tuple(Int64, String))') AS touches,
                            [(
                                toUnixTimestamp64Milli(occurred_at), toString(type), order_id,
                                toInt64(ifNull(amount_minor, 0)), if(amount_minor IS NULL, '', toString(currency))
                            )] AS stated
                        FROM touchpoints_current
                        WHERE tenant = {tenant:String} AND has(converting, toString(type))
                            AND occurred_at >= earliest AND occurred_at < {until:DateTime64(3, 'UTC')}
                    )
                    GROUP BY profile_id
                )
            )
        )
    )
)
WHERE if(converted, end_ms >= since_ms, notEmpty(own))
COMMENT 'What people touched before they converted: a row for each conversion of the period, and one for what a person touched after their last one (converted = 0). Touches are marketing touchpoints in order of time, those of a session or a message that we sent; a session without one is the touch (direct). They lie within within_seconds before the conversion and after the one before it. touches: their values of by; (none) has no such value, (other) is not among the top, (nothing) stands alone where there was no touch. ages_seconds: from each touch to the conversion, or to the last touch.\nSeveral touchpoints of one order_id are one conversion, with the first amount that one states, in minor units. goals: types of touchpoints; empty: those with the effect order_placed. touch_types: empty for the catalogue''s marketing types. by: channel, source or campaign.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, goals Array(String) = [], touch_types Array(String) = [], within_seconds UInt64 = 30d, by String = channel, top UInt64 = 10\nExample: SELECT * FROM conversion_paths(tenant = ''default'', since = now64(3) - INTERVAL 30 DAY, until = now64(3), goals = [''order_placed''], touch_types = [], within_seconds = 2592000, by = ''channel'', top = 10) LIMIT 5';

CREATE OR REPLACE VIEW conversion_routes AS
SELECT
    arrayStringConcat(arrayCompact(touches), ' → ') AS route,
    countIf(converted) AS conversions,
    count() AS paths,
    conversions / paths AS converted_share,
    quantileExactInclusiveOrNullIf(0.5)(ages_seconds[1], converted) AS median_seconds
FROM conversion_paths(
    tenant = {tenant:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')},
    goals = {goals:Array(String)}, touch_types = {touch_types:Array(String)},
    within_seconds = {within_seconds:UInt64}, by = {by:String}, top = {top:UInt64}
)
GROUP BY route
ORDER BY conversions DESC, paths DESC, route
LIMIT {routes:UInt64}
COMMENT 'The most frequent routes to a conversion: the touches of conversion_paths one after the other, repeats in a row once. converted_share: of the paths with this route; median_seconds: from the first touch to the conversion. The other parameters are those of conversion_paths.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, goals Array(String) = [], touch_types Array(String) = [], within_seconds UInt64 = 30d, by String = channel, top UInt64 = 10, routes UInt64 = 20\nExample: SELECT * FROM conversion_routes(tenant = ''default'', since = now64(3) - INTERVAL 30 DAY, until = now64(3), goals = [], touch_types = [], within_seconds = 2592000, by = ''channel'', top = 10, routes = 20)';

-- Markov: a chain of order 1 over the touches, with a start, a conversion and a loss. The inverse of I - Q, by Gauss and
-- Jordan, holds the expected visits. It needs no pivoting, because the rows of I - Q are diagonally dominant.
-- Who removes a touch loses the conversions that pass through it: the chance to reach it, times that to convert from there.
-- Shapley: the worth of a set of touches is the conversions whose path has no other touch. This game is a sum of unanimity
-- games, one a path, so each conversion is divided equally among the different touches of its path: exact, without sampling.
CREATE OR REPLACE VIEW attribution AS
WITH
    {models:Array(String)} AS asked,
    ['first', 'last', 'last_non_direct', 'linear', 'position', 'time_decay', 'shapley', 'markov'] AS known,
    toFloat64({half_life_seconds:UInt64}) AS half_life
SELECT
    model,
    touch,
    currency,
    sum(credit) AS conversions,
    sum(money) AS revenue_minor,
    conversions / sum(conversions) OVER (PARTITION BY model, currency) AS conversions_share
FROM (
    SELECT given.1 AS model, given.2 AS touch, given.3 AS currency, given.4 AS credit, given.5 AS money
    FROM (
        SELECT arrayJoin(arrayConcat(
            credits,
            arrayFlatten(arrayMap(
                (name, removal) -> arrayMap(
                    total -> (
                        'markov', name, total.1,
                        total.2 * removal / arraySum(removals), total.3 * removal / arraySum(removals)
                    ),
                    totals
                ),
                names, removals
            ))
        )) AS given
        FROM (
            SELECT
                credits, names, totals,
                arrayMap(
                    (chance, k) -> chance / visits[k][k]
                        * arraySum(arrayMap((count, row) -> count * row[k], beginning, visits)),
                    chances, arrayEnumerate(names)
                ) AS removals
            FROM (
                SELECT
                    credits, names, totals, beginning, visits,
                    arrayMap(row -> arraySum(arrayMap((x, y) -> x * y, row, converting)), visits) AS chances
                FROM (
                    SELECT
                        credits, names, totals, beginning, converting,
                        arrayMap(row -> arraySlice(row, length(names) + 1), arrayFold(
                            (rows, k) -> arrayMap(
                                (row, i) -> if(
                                    i = k,
                                    arrayMap(x -> x / rows[k][k], row),
                                    arrayMap((x, pivot) -> x - row[k] / rows[k][k] * pivot, row, rows[k])
                                ),
                                rows, arrayEnumerate(rows)
                            ),
                            arrayEnumerate(names), equations
                        )) AS visits
                    FROM (
                        SELECT
                            credits, names, totals, beginning,
                            arrayMap(
                                (name, out) -> arraySum(edge -> if(edge.1 = name AND edge.3 = 1, edge.5, 0), edges) / out,
                                names, leaving
                            ) AS converting,
                            -- I - Q, with the unit matrix beside it
                            arrayMap(
                                (name, out) -> arrayConcat(
                                    arrayMap(
                                        other -> (name = other) - arraySum(
                                            edge -> if(edge.1 = name AND edge.2 = other, edge.5, 0), edges
                                        ) / out,
                                        names
                                    ),
                                    arrayMap(other -> toFloat64(name = other), names)
                                ),
                                names, leaving
                            ) AS equations
                        FROM (
                            SELECT
                                credits, edges, names, totals,
                                arrayMap(name -> arraySum(edge -> if(edge.1 = name, edge.5, 0), edges), names) AS leaving,
                                arrayMap(
                                    name -> arraySum(edge -> if(edge.1 = '' AND edge.2 = name, edge.5, 0), edges), names
                                ) AS beginning
                            FROM (
                                SELECT
                                    credits, edges,
                                    arraySort(arrayDistinct(arrayFilter(name -> name != '', edges.1))) AS names,
                                    arrayMap(
                                        money -> (
                                            money,
                                            arraySum(edge -> if(edge.3 = 1 AND edge.4 = money, edge.5, 0), edges),
                                            arraySum(edge -> if(edge.3 = 1 AND edge.4 = money, edge.6, 0), edges)
                                        ),
                                        arrayDistinct(arrayMap(edge -> edge.4, arrayFilter(edge -> edge.3 = 1, edges)))
                                    ) AS totals
                                FROM (
                                    SELECT
                                        groupArrayIf((told.1, told.2, money, credit, sum_money), told.1 != 'markov') AS credits,
                                        groupArrayIf((told.2, told.3, told.4, money, credit, sum_money), told.1 = 'markov') AS edges
                                    FROM (
                                        SELECT
                                            told, if(told.1 = 'markov' AND told.4 != 1, '', currency) AS money,
                                            sum(weight) AS credit, sum(worth) AS sum_money
                                        FROM (
                                            SELECT currency, part.1 AS told, part.2 AS weight, part.3 AS worth
                                            FROM (
                                                SELECT currency, arrayJoin(if(converted, arrayConcat(edges, credits), edges)) AS part
                                                FROM (
                                                    -- all paths with these touches at once: how many, and their revenue
                                                    SELECT
                                                        currency, converted,
                                                        toFloat64(count()) AS paths,
                                                        toFloat64(sum(amount_minor)) AS revenue,
                                                        sumForEach(decayed) AS decayed_paths,
                                                        sumForEach(arrayMap(weight -> weight * amount_minor, decayed)) AS decayed_revenue,
                                                        length(touches) AS n,
                                                        arrayDistinct(touches) AS different,
                                                        arrayLastIndex(touch -> touch != '(direct)', touches) AS not_direct,
                                                        -- from (empty: the start), to (empty: the end), 1: the end is a conversion, 2: a loss
                                                        arrayMap(
                                                            (one, other, ends) -> (('markov', one, other, ends), paths, revenue),
                                                            arrayPushFront(touches, ''), arrayPushBack(touches, ''),
                                                            arrayPushBack(arrayMap(touch -> 0, touches), if(converted, 1, 2))
                                                        ) AS edges,
                                                        arrayMap(
                                                            given -> ((given.1, given.2, '', 0), given.3, given.4),
                                                            arrayConcat(
                                                                arrayMap(
                                                                    given -> (given.1, given.2, given.3 * paths, given.3 * revenue),
                                                                    arrayConcat(
                                                                        [('first', touches[1], 1.), ('last', touches[-1], 1.)],
                                                                        [('last_non_direct', touches[if(not_direct = 0, n, not_direct)], 1.)],
                                                                        arrayMap(touch -> ('linear', touch, 1 / n), touches),
                                                                        arrayMap(
                                                                            (touch, place) -> (
                                                                                'position', touch,
                                                                                multiIf(n = 1, 1., n = 2, 0.5, place IN (1, n), 0.4, 0.2 / (n - 2))
                                                                            ),
                                                                            touches, arrayEnumerate(touches)
                                                                        ),
                                                                        arrayMap(touch -> ('shapley', touch, 1 / length(different)), different)
                                                                    )
                                                                ),
                                                                arrayMap(
                                                                    (touch, weight, worth) -> ('time_decay', touch, weight, worth),
                                                                    touches, decayed_paths, decayed_revenue
                                                                )
                                                            )
                                                        ) AS credits
                                                    FROM (
                                                        SELECT
                                                            currency, amount_minor, touches, converted,
                                                            arrayMap(age -> exp2((ages_seconds[-1] - age) / half_life), ages_seconds) AS halved,
                                                            arrayMap(weight -> weight / arraySum(halved), halved) AS decayed
                                                        FROM conversion_paths(
                                                            tenant = {tenant:String}, since = {since:DateTime64(3, 'UTC')},
                                                            until = {until:DateTime64(3, 'UTC')}, goals = {goals:Array(String)},
                                                            touch_types = {touch_types:Array(String)},
                                                            within_seconds = {within_seconds:UInt64}, by = {by:String}, top = {top:UInt64}
                                                        )
                                                        WHERE (SELECT throwIf(half_life = 0, 'half_life_seconds is above 0')) = 0
                                                            AND (SELECT throwIf({top:UInt64} > 100, 'top is at most 100')) = 0
                                                            AND (SELECT throwIf(NOT hasAll(known, asked), 'models are first, last, last_non_direct, linear, position, time_decay, shapley and markov')) = 0
                                                    )
                                                    GROUP BY currency, touches, converted
                                                )
                                            )
                                            WHERE empty(asked) OR has(asked, told.1)
                                        )
                                        GROUP BY told, money
                                    )
                                )
                            )
                        )
                    )
                )
            )
        )
    )
)
GROUP BY model, touch, currency
ORDER BY indexOf(known, model), currency, conversions DESC, touch
COMMENT 'Which touches conversions are owed to, by model: the credit for conversions and for their revenue (minor units of currency). The credits of a model add up to all conversions and all revenue of conversion_paths.\nfirst, last: all to that touch; last_non_direct: to the last that is not (direct); linear: equal parts; position: 40% first, 40% last, 20% between; time_decay: halves with each half_life_seconds before the conversion; shapley: exact, equal parts for each different touch of a path; markov: removal effect in the chain of order 1, solved exactly; paths without conversion count in it. models: empty for all.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, goals Array(String) = [], touch_types Array(String) = [], within_seconds UInt64 = 30d, by String = channel, top UInt64 = 10, models Array(String) = [], half_life_seconds UInt64 = 7d\nExample: SELECT * FROM attribution(tenant = ''default'', since = now64(3) - INTERVAL 30 DAY, until = now64(3), goals = [], touch_types = [], within_seconds = 2592000, by = ''channel'', top = 10, models = [''linear'', ''markov''], half_life_seconds = 604800)';
