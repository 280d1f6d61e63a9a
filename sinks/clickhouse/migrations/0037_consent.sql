-- Consent, and what people will probably do next: from the journey states.

CREATE OR REPLACE VIEW consent_coverage AS
WITH (
    SELECT count() FROM journeys
    WHERE tenant = {tenant:String} AND last_seen >= {since:DateTime64(3, 'UTC')} AND last_seen < {until:DateTime64(3, 'UTC')}
) AS seen
SELECT
    toString(decided.1) AS purpose,
    assumeNotNull(seen) AS people,
    countIf(decided.2 = 'GRANTED') AS granted,
    countIf(decided.2 = 'DENIED') AS denied,
    countIf(decided.2 = 'REVOKED') AS revoked,
    people - count() AS unknown,
    count() / people AS decided_share,
    granted / people AS granted_share
FROM (
    SELECT arrayJoin(consent) AS decided
    FROM journeys
    WHERE tenant = {tenant:String} AND last_seen >= {since:DateTime64(3, 'UTC')} AND last_seen < {until:DateTime64(3, 'UTC')}
)
GROUP BY purpose
ORDER BY granted_share DESC, purpose
COMMENT 'Consent by purpose, of the people whose newest touchpoint lies between since and until: how many granted, denied or revoked it, and how many never decided. decided_share is the share that decided, granted_share the share that granted, 0-1.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now\nExample: SELECT purpose, people, decided_share, granted_share FROM consent_coverage(tenant = ''default'', since = now64() - INTERVAL 365 DAY, until = now64()) ORDER BY granted_share';

CREATE OR REPLACE VIEW likely_next_contacts AS
SELECT
    next.type AS type,
    any(toString(kinds.component)) AS component,
    any(toString(kinds.owner)) AS owner,
    count() AS people,
    countIf(next.place = 1) AS likeliest_of,
    sum(next.probability) AS expected,
    avg(next.probability) AS mean_probability
FROM (
    SELECT arrayJoin(arrayZip(likely_next, arrayEnumerate(likely_next))) AS one,
        one.1.1 AS type, one.1.2 AS probability, one.2 AS place
    FROM journeys
    WHERE tenant = {tenant:String} AND last_seen >= {since:DateTime64(3, 'UTC')} AND last_seen < {until:DateTime64(3, 'UTC')}
        AND ({stage:String} = '' OR stage = {stage:String})
) AS next
LEFT JOIN touchpoint_types AS kinds ON kinds.name = next.type
GROUP BY type
ORDER BY expected DESC, type
COMMENT 'What people will probably do next, by the predictions in their journeys (docs/prediction.md): of those whose newest touchpoint lies between since and until, in one lifecycle stage or in all (''''), how many have the touchpoint type among their three likeliest, of how many it is the likeliest, and the sum of the probabilities, which is the number of people to expect, if each comes once more.\nParameters: tenant String = default, since DateTime64 = 30d, until DateTime64 = now, stage String = ''''\nExample: SELECT type, owner, expected FROM likely_next_contacts(tenant = ''default'', since = now64() - INTERVAL 7 DAY, until = now64(), stage = '''') ORDER BY expected DESC';
