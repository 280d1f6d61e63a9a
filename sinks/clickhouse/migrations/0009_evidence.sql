-- The evidence behind the owners of identifiers, and a view that uses the dictionary. These views read those of 0004, so
-- they show nothing that was erased.

-- Owners come from look-ups in the dictionary instead of a join with the whole of identity_current. Each look-up asks for
-- one attribute, where it is used: the optimizer splits a look-up of several attributes into several look-ups.
CREATE OR REPLACE VIEW touchpoints_current_fast AS
SELECT
    t.* EXCEPT (
        profile_id, assignment_version, checksum, version, source_topic, source_partition, source_offset, loaded_at
    ),
    assumeNotNull(multiIf(
        notEmpty(e.profile_id) AND t.assignment_version < toInt64(e.version)
            AND isNull(dictGet('identity_owners', 'profile_id', (t.tenant, t.identifier_type, t.identifier_value))),
        e.profile_id,
        isNull(dictGet('identity_owners', 'profile_id', (t.tenant, t.identifier_type, t.identifier_value)))
            OR (t.assignment_version >= 0 AND t.assignment_version
                > dictGet('identity_owners', 'version', (t.tenant, t.identifier_type, t.identifier_value))),
        t.profile_id,
        t.occurred_at
            >= dictGet('identity_owners', 'contested_from', (t.tenant, t.identifier_type, t.identifier_value)),
        dictGet('identity_owners', 'contested_profile_id', (t.tenant, t.identifier_type, t.identifier_value)),
        dictGet('identity_owners', 'profile_id', (t.tenant, t.identifier_type, t.identifier_value))
    )) AS profile_id
FROM raw_touchpoints AS t FINAL
LEFT JOIN (
    SELECT tenant AS of, identifier_type AS kind, identifier_value AS value, profile_id, erased_at, version
    FROM raw_erasures FINAL
) AS e ON t.tenant = e.of AND t.identifier_type = e.kind AND t.identifier_value = e.value
WHERE (empty(e.profile_id) OR t.occurred_at > e.erased_at) AND t.copy NOT IN (SELECT copy FROM touchpoint_copies)
COMMENT 'touchpoints_current with owners from the dictionary identity_owners: faster for few touchpoints among many identifiers, because it needs no join with identity_current; owners may be a minute old';

CREATE OR REPLACE VIEW identity_evidence AS
SELECT
    e.tenant AS tenant, e.left_type AS left_type, e.left_value AS left_value,
    e.right_type AS right_type, e.right_value AS right_value, e.kind AS kind,
    e.earliest.1 AS occurred_at, e.earliest.2 AS event_id, e.earliest.3 AS source,
    l.profile_id AS left_profile_id,
    r.profile_id AS right_profile_id,
    multiIf(
        e.kind = 'OBSERVED' AND least(
            ifNull(l.contested_from, toDateTime64('2299-12-31', 3, 'UTC')),
            ifNull(r.contested_from, toDateTime64('2299-12-31', 3, 'UTC'))
        ) < occurred_at, 'contested',
        left_profile_id = right_profile_id, 'united',
        'refused'
    ) AS outcome,
    if(outcome = 'refused', arraySort(arrayIntersect(lt.types, rt.types)), []) AS types_of_both
FROM (
    SELECT tenant, left_type, left_value, right_type, right_value, kind, min((occurred_at, event_id, source)) AS earliest
    FROM identity_links_current
    GROUP BY tenant, left_type, left_value, right_type, right_value, kind
) AS e
INNER JOIN identity_current AS l
    ON e.tenant = l.tenant AND e.left_type = l.identifier_type AND e.left_value = l.identifier_value
INNER JOIN identity_current AS r
    ON e.tenant = r.tenant AND e.right_type = r.identifier_type AND e.right_value = r.identifier_value
LEFT JOIN (
    SELECT tenant, profile_id, groupUniqArray(toString(identifier_type)) AS types FROM identity_current GROUP BY tenant, profile_id
) AS lt ON l.tenant = lt.tenant AND l.profile_id = lt.profile_id
LEFT JOIN (
    SELECT tenant, profile_id, groupUniqArray(toString(identifier_type)) AS types FROM identity_current GROUP BY tenant, profile_id
) AS rt ON r.tenant = rt.tenant AND r.profile_id = rt.profile_id
COMMENT 'Every link with its earliest event and what it does: united; refused, by the unique or limit rule of one of types_of_both; or contested, since one side was shared by then. The exact rule and the chain between two identifiers: touchline explain';

CREATE OR REPLACE VIEW identity_evidence_between AS
SELECT *
FROM identity_evidence
WHERE tenant = {tenant:String}
    AND left_profile_id IN (
        SELECT profile_id FROM identity_current
        WHERE tenant = {tenant:String} AND concat(identifier_type, ':', identifier_value) IN ({one:String}, {other:String})
    )
    AND right_profile_id IN (
        SELECT profile_id FROM identity_current
        WHERE tenant = {tenant:String} AND concat(identifier_type, ':', identifier_value) IN ({one:String}, {other:String})
    )
ORDER BY occurred_at, left_type, left_value, right_type, right_value
COMMENT 'The evidence within and between the profiles of two identifiers, given as stored: SELECT * FROM identity_evidence_between(tenant = ''default'', one = ''cookie:ck-1'', other = ''customer_id:A'')';
