-- Carts, by the definition of streams/journeys/state/expectations.py: one a session, from the first touchpoint with the effect
-- cart_opened, due when its session ends, and met by an order of its session or of any later one until then.

CREATE OR REPLACE VIEW carts AS
WITH
    (SELECT groupArray(name) FROM catalogue_types FINAL WHERE is_deleted = 0 AND effect = 'cart_opened') AS opening,
    (SELECT groupArray(name) FROM catalogue_types FINAL WHERE is_deleted = 0 AND effect = 'order_placed') AS ordering,
    (SELECT value FROM journey_settings FINAL WHERE is_deleted = 0 AND name = 'session_gap_ms') AS set_gap,
    toInt64(least({within_seconds:UInt64}, 10000000000)) * 1000 AS within
SELECT
    outcome,
    back_by,
    count() AS carts,
    carts / sum(carts) OVER () AS carts_share,
    quantileExactInclusiveOrNullIf(0.5)(after / 1000, back) AS median_seconds
FROM (
    SELECT
        arrayFirst(contact -> contact.1 > due AND contact.1 - due <= within, contacts) AS return,
        multiIf(
            hasAny(types, ordering) OR arrayExists(at -> at >= opened AND at <= due, orders), 'ordered in time',
            due >= toUnixTimestamp64Milli({until:DateTime64(3, 'UTC')}), 'still open',
            arrayExists(at -> at > due AND at - due <= within, orders), 'came back and ordered',
            return.3 != '', 'came back',
            'did not come back'
        ) AS outcome,
        return.3 != '' AND startsWith(outcome, 'came back') AS back,
        return.1 - due AS after,
        multiIf(
            NOT back, '',
            {by:String} = 'type', return.3,
            {by:String} = 'campaign', return.4,
            {by:String} = 'reminder', arrayLast(message -> message.1 > due AND message.1 <= return.1, messages).2,
            return.2
        ) AS back_by
    FROM (
        SELECT
            cart.1 AS opened,
            cart.2 + ifNull(set_gap, 30 * 60 * 1000) AS due,
            cart.3 AS types,
            orders, contacts, messages
        FROM (
            SELECT
                arrayJoin(arrayFilter(
                    cart -> cart.1 >= toUnixTimestamp64Milli({since:DateTime64(3, 'UTC')})
                        AND cart.1 < toUnixTimestamp64Milli({until:DateTime64(3, 'UTC')}),
                    arrayMap(
                        (types, times, last) -> (
                            toUnixTimestamp64Milli(arrayFirst((at, type) -> has(opening, toString(type)), times, types)),
                            toUnixTimestamp64Milli(last),
                            types
                        ),
                        arrayFilter(types -> hasAny(types, opening), session_types),
                        arrayFilter((times, types) -> hasAny(types, opening), session_at, session_types),
                        arrayFilter((last, types) -> hasAny(types, opening), session_last_at, session_types)
                    )
                )) AS cart,
                arrayMap(
                    (at, channel, type, campaign) -> (
                        toUnixTimestamp64Milli(at), toString(channel),
                        if(
                            at >= {since:DateTime64(3, 'UTC')} AND at < {until:DateTime64(3, 'UTC')}, toString(type), ''
                        ),
                        toString(campaign)
                    ),
                    step_at, step_channel, step_type, step_campaign
                ) AS steps,
                arrayMap(step -> step.1, arrayFilter(step -> has(ordering, step.3), steps)) AS orders,
                arraySort(arrayFilter(step -> step.3 != '' AND step.3 NOT IN (SELECT name FROM catalogue_types FINAL WHERE is_deleted = 0 AND direction != 'inbound'), steps)) AS contacts,
                arraySort(arrayMap(
                    step -> (step.1, step.3), arrayFilter(step -> step.3 IN (SELECT name FROM catalogue_types FINAL WHERE is_deleted = 0 AND direction = 'outbound'), steps)
                )) AS messages
            FROM timelines
            WHERE tenant = {tenant:String} AND last_seen >= {since:DateTime64(3, 'UTC')}
                AND first_seen < {until:DateTime64(3, 'UTC')} AND hasAny(step_type, opening)
        )
    )
    WHERE (SELECT throwIf({by:String} NOT IN ('channel', 'type', 'campaign', 'reminder'), 'by is channel, type, campaign or reminder')) = 0
)
GROUP BY outcome, back_by
ORDER BY carts DESC, outcome, back_by
COMMENT 'What became of the carts that were opened in the period, as of its end: one cart a session. A cart is abandoned if no order came until its session ended (30 minutes after its last touchpoint); then the person came back within within_seconds, or not; median_seconds: from then to the first inbound touchpoint.\nback_by says what they came back by. by: channel, type or campaign of that touchpoint, or reminder: the type of the last message that was sent in between.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, within_seconds UInt64 = 7d, by String = channel\nExample: SELECT * FROM carts(tenant = ''default'', since = now64(3) - INTERVAL 30 DAY, until = now64(3), within_seconds = 604800, by = ''channel'')';
