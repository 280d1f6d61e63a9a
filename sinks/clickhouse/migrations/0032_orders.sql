-- Orders and their money by the definition of streams/journeys/state/orders.py: as the journey state counts them.

CREATE OR REPLACE VIEW currency_exponents AS
SELECT pair.1 AS currency, pair.2 AS exponent
FROM (
    SELECT arrayJoin(arrayConcat(
        arrayMap(code -> (code, toUInt8(0)), [
            'BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND',
            'VUV', 'XAF', 'XOF', 'XPF'
        ]),
        arrayMap(code -> (code, toUInt8(3)), ['BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND']),
        arrayMap(code -> (code, toUInt8(4)), ['CLF', 'UYW']),
        arrayMap(code -> (code, toUInt8(2)), [
            'AED', 'AFN', 'ALL', 'AMD', 'AOA', 'ARS', 'AUD', 'AWG', 'AZN', 'BAM', 'BBD', 'BDT', 'BMD',
            'BND', 'BOB', 'BOV', 'BRL', 'BSD', 'BTN', 'BWP', 'BYN', 'BZD', 'CAD', 'CDF', 'CHE', 'CHF',
            'CHW', 'CNY', 'COP', 'COU', 'CRC', 'CUP', 'CVE', 'CZK', 'DKK', 'DOP', 'DZD', 'EGP', 'ERN',
            'ETB', 'EUR', 'FJD', 'FKP', 'GBP', 'GEL', 'GHS', 'GIP', 'GMD', 'GTQ', 'GYD', 'HKD', 'HNL',
            'HTG', 'HUF', 'IDR', 'ILS', 'INR', 'IRR', 'JMD', 'KES', 'KGS', 'KHR', 'KPW', 'KYD', 'KZT',
            'LAK', 'LBP', 'LKR', 'LRD', 'LSL', 'MAD', 'MDL', 'MGA', 'MKD', 'MMK', 'MNT', 'MOP', 'MRU',
            'MUR', 'MVR', 'MWK', 'MXN', 'MXV', 'MYR', 'MZN', 'NAD', 'NGN', 'NIO', 'NOK', 'NPR', 'NZD',
            'PAB', 'PEN', 'PGK', 'PHP', 'PKR', 'PLN', 'QAR', 'RON', 'RSD', 'RUB', 'SAR', 'SBD', 'SCR',
            'SDG', 'SEK', 'SGD', 'SHP', 'SLE', 'SOS', 'SRD', 'SSP', 'STN', 'SVC', 'SYP', 'SZL', 'THB',
            'TJS', 'TMT', 'TOP', 'TRY', 'TTD', 'TWD', 'TZS', 'UAH', 'USD', 'USN', 'UYU', 'UZS', 'VED',
            'VES', 'WST', 'XAD', 'XCD', 'XCG', 'YER', 'ZAR', 'ZMW', 'ZWG'
        ])
    )) AS pair
)
COMMENT 'ISO 4217: the decimal places of each currency''s minor unit; 2 for EUR (cents), 0 for JPY. Withdrawn currencies and metals are not in it.';

-- Touchpoints with one order_id are one order, one return or one cancellation: the first places it, the first that states
-- an amount gives its value. Without an order_id each touchpoint counts, and so does each refund. The state remembers 100
-- orders with an id; the view remembers all. Of touchpoints of one order at one millisecond the first by channel, source
-- and session comes first.
CREATE OR REPLACE VIEW order_events AS
SELECT
    {tenant:String} AS tenant, events.profile_id AS profile_id, events.kind AS kind, events.order_id AS order_id,
    fromUnixTimestamp64Milli(events.ms, 'UTC') AS occurred_at,
    events.placed.1 AS event_id, events.placed.2 AS source, events.placed.3 AS channel, events.placed.4 AS type,
    events.placed.5 AS campaign, events.placed.6 AS account_id,
    events.paid.1 AS amount_minor,
    events.paid.2 AS currency,
    toDecimal128(events.paid.1, 4) / transform(
        exponents.exponent, [toUInt8(0), toUInt8(2), toUInt8(3), toUInt8(4)], [1, 100, 1000, 10000], 1
    ) AS amount
FROM (
    SELECT
        profile_id, kind, order_id,
        min(at) AS ms,
        argMin(content, tie) AS placed,
        argMinIf((signed, money), tie, money != '') AS paid
    FROM (
        SELECT
            t.profile_id AS profile_id,
            transform(
                kinds.effect, ['order_placed', 'order_returned', 'order_cancelled', 'refund'],
                ['order', 'return', 'cancellation', 'refund'], ''
            ) AS kind,
            t.order_id AS order_id,
            toUnixTimestamp64Milli(t.occurred_at) AS at,
            (
                t.event_id, toString(t.source), toString(t.channel), toString(t.type), toString(t.campaign), t.account_id
            ) AS content,
            (
                at, toString(t.channel), toString(t.source), t.session_id, toString(t.type),
                toString(t.identifier_type), t.identifier_value, t.event_id
            ) AS tie,
            if(t.amount_minor IS NULL, '', toString(t.currency)) AS money,
            if(money = '', NULL, if(kind = 'order', t.amount_minor, -abs(t.amount_minor))) AS signed,
            if(kind = 'refund' OR t.order_id = '', sipHash128(t.source, t.event_id), toFixedString('', 16)) AS alone
        FROM touchpoints_current AS t
        INNER JOIN (
            SELECT name, effect FROM touchpoint_types
            WHERE effect IN ('order_placed', 'order_returned', 'order_cancelled', 'refund')
        ) AS kinds ON kinds.name = t.type
        WHERE t.tenant = {tenant:String} AND t.occurred_at < {until:DateTime64(3, 'UTC')}
    )
    GROUP BY profile_id, kind, order_id, alone
) AS events
LEFT JOIN currency_exponents AS exponents ON exponents.currency = events.paid.2
WHERE events.ms >= toUnixTimestamp64Milli({since:DateTime64(3, 'UTC')})
COMMENT 'Orders, returns, cancellations and refunds between since and until, each once, as the journey state counts them. amount_minor is in minor units of currency, negative for money that goes back; amount is in major units by the exponent of ISO 4217 (minor units where ISO has none). Both are NULL if nobody stated an amount.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now\nExample: SELECT currency, sum(amount) AS revenue FROM order_events(tenant = ''default'', since = now64() - INTERVAL 30 DAY, until = now64()) GROUP BY currency';

CREATE OR REPLACE VIEW orders AS
SELECT
    placed.tenant AS tenant, placed.profile_id AS profile_id, placed.order_id AS order_id,
    placed.occurred_at AS placed_at,
    placed.event_id AS event_id, placed.source AS source, placed.channel AS channel, placed.type AS type,
    placed.campaign AS campaign, placed.account_id AS account_id,
    placed.amount_minor AS amount_minor, placed.currency AS currency, placed.amount AS amount,
    if(after.cancelled_ms = 0, NULL, fromUnixTimestamp64Milli(after.cancelled_ms, 'UTC')) AS cancelled_at,
    if(after.returned_ms = 0, NULL, fromUnixTimestamp64Milli(after.returned_ms, 'UTC')) AS returned_at,
    toUInt8(after.cancelled_ms != 0) AS cancelled,
    toUInt8(after.returned_ms != 0) AS returned,
    toDecimal128(
        arraySum(arrayMap(part -> part.2, arrayFilter(part -> part.1 = placed.currency, after.back))), 4
    ) AS given_back,
    placed.amount - given_back AS net_amount
FROM order_events(
    tenant = {tenant:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')}
) AS placed
LEFT JOIN (
    SELECT
        profile_id,
        order_id,
        minIf(toUnixTimestamp64Milli(occurred_at), kind = 'cancellation') AS cancelled_ms,
        minIf(toUnixTimestamp64Milli(occurred_at), kind = 'return') AS returned_ms,
        groupArrayIf((currency, -assumeNotNull(amount)), amount IS NOT NULL) AS back
    FROM order_events(
        tenant = {tenant:String}, since = toDateTime64('1900-01-01 00:00:00', 3, 'UTC'),
        until = {until:DateTime64(3, 'UTC')}
    )
    WHERE kind != 'order' AND order_id != ''
    GROUP BY profile_id, order_id
) AS after ON after.profile_id = placed.profile_id AND after.order_id = placed.order_id
WHERE placed.kind = 'order'
COMMENT 'Orders placed between since and until, each once: by its order_id where there is one. cancelled, returned and given_back (of the same order_id, in the order''s currency) are as of until. amount, given_back and net_amount are in major units of currency (ISO 4217).\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now\nExample: SELECT channel, count() AS orders, avg(returned) AS returned, avg(cancelled) AS cancelled FROM orders(tenant = ''default'', since = now64() - INTERVAL 30 DAY, until = now64()) GROUP BY channel';

CREATE OR REPLACE VIEW revenue AS
SELECT
    toStartOfInterval(occurred_at, toIntervalSecond(greatest({bucket_seconds:UInt64}, 1)), 'UTC') AS from_time,
    currency,
    countIf(kind = 'order') AS orders,
    countIf(kind = 'return') AS returns,
    countIf(kind = 'cancellation') AS cancellations,
    ifNull(sumIf(amount, kind = 'order'), 0) AS ordered,
    -ifNull(sumIf(amount, kind != 'order'), 0) AS given_back,
    ifNull(sum(amount), 0) AS net
FROM order_events(
    tenant = {tenant:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')}
)
WHERE (SELECT throwIf({bucket_seconds:UInt64} = 0, 'bucket_seconds is above 0')) = 0
GROUP BY from_time, currency
ORDER BY currency, from_time
COMMENT 'Money over time: orders and what was given back, per interval and currency, in major units (ISO 4217). An empty currency holds what stated no amount. Over all time net is the sum of the journeys'' revenue.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, bucket_seconds UInt64 = 1d\nExample: SELECT from_time, currency, orders, net FROM revenue(tenant = ''default'', since = now64() - INTERVAL 30 DAY, until = now64(), bucket_seconds = 86400) ORDER BY from_time';
