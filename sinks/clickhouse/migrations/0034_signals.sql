-- The life of signals: raised, retracted, acted on, answered.

CREATE OR REPLACE VIEW signal_lives AS
SELECT * EXCEPT (contacted_ms, answered_ms)
FROM (
    SELECT
        raised.tenant AS tenant, raised.profile_id AS profile_id, raised.signal_id AS signal_id,
        raised.subject_id AS subject_id, raised.kind AS kind, raised.status AS status, raised.reason AS reason,
        raised.successor AS successor, raised.occurred_at AS occurred_at, raised.rule AS rule, raised.details AS details,
        raised.event_ids AS event_ids,
        arrayFirst(one -> one.2 = 'outbound' AND one.1 > raised.ms, later.reactions).1 AS contacted_ms,
        arrayFirst(one -> one.2 = raised.goal AND one.1 > raised.ms, later.reactions).1 AS answered_ms,
        if(contacted_ms = 0, NULL, fromUnixTimestamp64Milli(contacted_ms, 'UTC')) AS contacted_at,
        if(answered_ms = 0, NULL, fromUnixTimestamp64Milli(answered_ms, 'UTC')) AS answered_at,
        if(contacted_ms = 0, NULL, (contacted_ms - raised.ms) / 1000) AS contact_seconds,
        if(answered_ms = 0, NULL, (answered_ms - raised.ms) / 1000) AS answer_seconds
    FROM (
        SELECT
            *,
            toUnixTimestamp64Milli(occurred_at) AS ms,
            multiIf(
                kind IN ('abandoned_cart', 'abandoned_checkout'), 'order',
                kind = 'quote_unanswered', 'quote',
                kind = 'detractor', 'nps',
                details['issue_id'] != '', concat('issue ', details['issue_id']),
                'inbound'
            ) AS goal
        FROM signals_all
        WHERE tenant = {tenant:String} AND occurred_at >= {since:DateTime64(3, 'UTC')} AND occurred_at < {until:DateTime64(3, 'UTC')}
    ) AS raised
    LEFT JOIN (
        SELECT
            t.profile_id AS profile_id,
            arraySort(arrayFlatten(groupArray(arrayMap(what -> (toUnixTimestamp64Milli(t.occurred_at), what), arrayFilter(
                what -> what != '',
                [
                    multiIf(kinds.direction = 'outbound', 'outbound', kinds.direction IN ('', 'inbound'), 'inbound', ''),
                    if(kinds.effect = 'order_placed', 'order', ''),
                    if(kinds.type IN ('quote_accepted', 'quote_declined', 'contract_signed'), 'quote', ''),
                    if(t.score_kind = 'NPS' AND t.score_value > 6, 'nps', ''),
                    if(kinds.effect = 'issue_solved' AND t.issue_id != '', concat('issue ', t.issue_id), '')
                ]
            ))))) AS reactions
        FROM touchpoints_current AS t
        LEFT JOIN touchpoint_types AS kinds ON kinds.name = t.type
        WHERE t.tenant = {tenant:String} AND t.occurred_at >= {since:DateTime64(3, 'UTC')} AND t.occurred_at < {until:DateTime64(3, 'UTC')}
        GROUP BY profile_id
    ) AS later ON later.profile_id = raised.profile_id
)
COMMENT 'Every signal that became true between since and until, with its life: status RAISED or RETRACTED (reason, and the successor that has its subject now); contacted_at, the first time that we wrote to or called the person after it; answered_at, the first touchpoint after it that gives what was missing: an order for an abandoned cart or checkout, an answer for a quote, a solution for an issue, an NPS above 6 for a detractor, for any other kind whatever the person does next.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now\nExample: SELECT profile_id, occurred_at, answer_seconds FROM signal_lives(tenant = ''default'', since = now64() - INTERVAL 7 DAY, until = now64()) WHERE kind = ''abandoned_cart'' AND status = ''RAISED''';

CREATE OR REPLACE VIEW signal_rates AS
SELECT
    kind,
    count() AS signals,
    countIf(status = 'RAISED') AS standing,
    countIf(reason IN ('CONTRADICTED', 'ERASED')) AS retracted,
    countIf(reason = 'LET_GO') AS let_go,
    retracted / signals AS retraction_rate,
    uniqExact(profile_id) AS profiles,
    countIf(contacted_at IS NOT NULL AND status = 'RAISED') AS contacted,
    countIf(answered_at IS NOT NULL AND status = 'RAISED') AS answered,
    if(standing = 0, NULL, answered / standing) AS answer_rate,
    quantileExactIf(0.5)(contact_seconds, status = 'RAISED') AS contact_median_seconds,
    quantileExactIf(0.5)(answer_seconds, status = 'RAISED') AS answer_median_seconds
FROM signal_lives(
    tenant = {tenant:String}, since = {since:DateTime64(3, 'UTC')}, until = {until:DateTime64(3, 'UTC')}
)
WHERE reason != 'MOVED'
GROUP BY kind
ORDER BY signals DESC, kind
COMMENT 'Signals by kind: how many became true between since and until, how many still stand, how many were retracted (contradicted or erased; those that moved to another profile count there), and of the standing ones how many we followed by a contact and how many the person answered (signal_lives says what an answer is). Rates 0-1.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now\nExample: SELECT * FROM signal_rates(tenant = ''default'', since = now64() - INTERVAL 30 DAY, until = now64()) ORDER BY signals DESC';
