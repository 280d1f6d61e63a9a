-- Experiments: who saw which variant, and what came of it.

-- Intervals. rate: Wilson (1927). difference: Newcombe (1998, method 10), of two Wilson intervals. sequential: the
-- always-valid interval of the mixture sequential probability ratio test with a normal prior of standard deviation tau
-- (Johari, Koomen, Pekelis and Walsh, "Always Valid Inference", Operations Research 70(3), 2022; for the difference of two
-- means Johari et al., "Peeking at A/B Tests", KDD 2017): with V the variance of the difference,
--   half width = sqrt(V (V + tau^2) / tau^2 * (2 ln(1 / alpha) + ln((V + tau^2) / V))), alpha = 0.05.
-- V is of (converted + 1) / (people + 2), so that a variant without conversions has a variance.
CREATE OR REPLACE VIEW experiment_results AS
WITH
    1.959964 AS z,
    0.05 AS alpha,
    pow({tau:Float64}, 2) AS tau2
SELECT * EXCEPT (variance, always)
FROM (
    SELECT
        variant, people, converted,
        if(people = 0, 0, converted / people) AS rate,
        wilson.1 AS rate_low,
        wilson.2 AS rate_high,
        variant = {control:String} AS is_control,
        if(is_control OR NOT has_control, NULL, rate - control_rate) AS difference,
        difference - sqrt(pow(rate - rate_low, 2) + pow(control_wilson.2 - control_rate, 2)) AS difference_low,
        difference + sqrt(pow(rate_high - rate, 2) + pow(control_rate - control_wilson.1, 2)) AS difference_high,
        smoothed * (1 - smoothed) / people + control_smoothed * (1 - control_smoothed) / control_people AS variance,
        sqrt(variance * (variance + tau2) / tau2 * (2 * log(1 / alpha) + log((variance + tau2) / variance))) AS always,
        difference - always AS sequential_low,
        difference + always AS sequential_high,
        toUInt8(difference_low > 0 OR difference_high < 0) AS significant,
        toUInt8(sequential_low > 0 OR sequential_high < 0) AS sequentially_significant,
        mixed
    FROM (
        SELECT
            *,
            (converted + 1) / (people + 2) AS smoothed,
            (
                (converted + z * z / 2 - z * sqrt(converted * (people - converted) / people + z * z / 4)) / (people + z * z),
                (converted + z * z / 2 + z * sqrt(converted * (people - converted) / people + z * z / 4)) / (people + z * z)
            ) AS wilson,
            countIf(variant = {control:String}) OVER () > 0 AS has_control,
            sumIf(people, variant = {control:String}) OVER () AS control_people,
            sumIf(converted, variant = {control:String}) OVER () / control_people AS control_rate,
            sumIf(smoothed, variant = {control:String}) OVER () AS control_smoothed,
            (
                sumIf(wilson.1, variant = {control:String}) OVER (), sumIf(wilson.2, variant = {control:String}) OVER ()
            ) AS control_wilson
        FROM (
            SELECT variants[1] AS variant, count() AS people, countIf(won) AS converted, any(several) AS mixed
            FROM (
                SELECT
                    seen.profile_id AS profile_id, seen.variants AS variants,
                    countIf(length(variants) > 1) OVER () AS several,
                    arrayExists(
                        at -> at >= seen.first_ms AND at <= seen.first_ms + toInt64({within_seconds:UInt64}) * 1000, goals.times
                    ) AS won
                FROM (
                    SELECT
                        profile_id,
                        groupUniqArray(experiments[{experiment:String}]) AS variants,
                        min(toUnixTimestamp64Milli(occurred_at)) AS first_ms
                    FROM touchpoints_current
                    WHERE tenant = {tenant:String} AND experiments[{experiment:String}] != ''
                        AND occurred_at >= {since:DateTime64(3, 'UTC')} AND occurred_at < {until:DateTime64(3, 'UTC')}
                    GROUP BY profile_id
                ) AS seen
                LEFT JOIN (
                    SELECT t.profile_id AS profile_id, groupArray(toUnixTimestamp64Milli(t.occurred_at)) AS times
                    FROM touchpoints_current AS t
                    LEFT JOIN touchpoint_types AS kinds ON kinds.name = t.type
                    WHERE t.tenant = {tenant:String} AND (t.type = {goal:String} OR kinds.effect = {goal:String})
                        AND t.occurred_at >= {since:DateTime64(3, 'UTC')} AND t.occurred_at < {until:DateTime64(3, 'UTC')}
                    GROUP BY profile_id
                ) AS goals ON goals.profile_id = seen.profile_id
            )
            WHERE length(variants) = 1
            GROUP BY variant
        )
    )
)
ORDER BY is_control DESC, variant
COMMENT 'An experiment: of the people who saw each variant between since and until, how many reached the goal (a touchpoint type, or an effect of the catalogue such as order_placed) within the seconds after they first saw it; the difference of the rates to the control variant, with 95% intervals. difference_low and _high hold for one look at a time that was fixed before; sequential_low and _high hold however often one looks and whenever one stops (tau is about the size of difference that one hopes for). People who saw several variants are left out; mixed counts them. Rates and differences 0-1.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, experiment String, goal String = order_placed, control String = A, within_seconds UInt64 = 14d, tau Float64 = 0.05\nExample: SELECT variant, people, rate, difference, sequential_low, sequential_high FROM experiment_results(tenant = ''default'', since = now64() - INTERVAL 30 DAY, until = now64(), experiment = ''checkout'', goal = ''order_placed'', control = ''A'', within_seconds = 1209600, tau = 0.05)';

CREATE OR REPLACE VIEW experiments AS
SELECT
    experiment, variant,
    uniqExact(profile_id) AS people,
    count() AS touchpoints,
    min(occurred_at) AS first_at,
    max(occurred_at) AS last_at
FROM (
    SELECT profile_id, occurred_at, arrayJoin(experiments) AS seen, toString(seen.1) AS experiment, seen.2 AS variant
    FROM touchpoints_current
    WHERE tenant = {tenant:String} AND notEmpty(experiments)
        AND occurred_at >= {since:DateTime64(3, 'UTC')} AND occurred_at < {until:DateTime64(3, 'UTC')}
)
GROUP BY experiment, variant
ORDER BY experiment, variant
COMMENT 'The experiments that people saw between since and until, their variants, and how many people saw each.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now\nExample: SELECT * FROM experiments(tenant = ''default'', since = now64() - INTERVAL 30 DAY, until = now64()) ORDER BY experiment, variant';
