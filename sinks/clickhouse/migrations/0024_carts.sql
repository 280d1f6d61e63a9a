-- Carts, by the definition of streams/journeys/state/expectations.py: one a session, from the first touchpoint with the effect
-- cart_opened, due when its session ends, and met by an order of its session or of any later one until then.

CREATE OR REPLACE VIEW carts AS
WITH
    (SELECT groupArray(name) FROM catalogue_types FINAL WHERE is_deleted = 0 AND direction != 'inbound') AS not_inbound,
    (SELECT groupArray(name) FROM catalogue_types FINAL WHERE is_deleted = 0 AND direction = 'outbound') AS outbound,
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
            t.profile_id AS profile_id, s.number AS number, min(t.ms) AS opened, any(s.types) AS types,
            any(toUnixTimestamp64Milli(s.last_at)) + ifNull(set_gap, 30 * 60 * 1000) AS due
        FROM (
            SELECT
                profile_id, occurred_at, toUnixTimestamp64Milli(occurred_at) AS ms, session_id,
                if(session_id = '', '', toString(source)) AS named_by
            FROM touchpoints_current
            WHERE tenant = {tenant:String} AND occurred_at < {until:DateTime64(3, 'UTC')}
                AND has(opening, toString(type)) AND NOT has(not_inbound, toString(type))
        ) AS t
        ASOF INNER JOIN (
            SELECT profile_id, number, toString(source) AS source, session_id, started_at, last_at, types
            FROM sessions
            WHERE tenant = {tenant:String} AND last_at >= {since:DateTime64(3, 'UTC')} AND hasAny(types, opening)
        ) AS s
            ON t.profile_id = s.profile_id AND t.named_by = s.source AND t.session_id = s.session_id
                AND t.occurred_at >= s.started_at
        WHERE t.occurred_at <= s.last_at
        GROUP BY profile_id, number
        HAVING opened >= toUnixTimestamp64Milli({since:DateTime64(3, 'UTC')})
    ) AS c
    INNER JOIN (
        SELECT
            profile_id,
            groupArrayIf(ms, has(ordering, type)) AS orders,
            arraySort(groupArrayIf((ms, channel, type, campaign), NOT has(not_inbound, type))) AS contacts,
            arraySort(groupArrayIf((ms, type), has(outbound, type))) AS messages
        FROM (
            SELECT
                profile_id, toUnixTimestamp64Milli(occurred_at) AS ms, toString(channel) AS channel, toString(type) AS type,
                toString(campaign) AS campaign
            FROM touchpoints_current
            WHERE tenant = {tenant:String}
                AND occurred_at >= {since:DateTime64(3, 'UTC')} AND occurred_at < {until:DateTime64(3, 'UTC')}
        )
        GROUP BY profile_id
        HAVING countIf(has(opening, type)) > 0
    ) AS p ON c.profile_id = p.profile_id
    WHERE (SELECT throwIf({by:String} NOT IN ('channel', 'type', 'campaign', 'reminder'), 'by is channel, type, campaign or reminder')) = 0
)
GROUP BY outcome, back_by
ORDER BY carts DESC, outcome, back_by
COMMENT 'What became of the carts that were opened in the period, as of its end: one cart a session. A cart is abandoned if no order came until its session ended (30 minutes after its last touchpoint); then the person came back within within_seconds, or not; median_seconds: from then to the first inbound touchpoint.\nback_by says what they came back by. by: channel, type or campaign of that touchpoint, or reminder: the type of the last message that was sent in between.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, within_seconds UInt64 = 7d, by String = channel\nExample: SELECT * FROM carts(tenant = ''default'', since = now64(3) - INTERVAL 30 DAY, until = now64(3), within_seconds = 604800, by = ''channel'')';
