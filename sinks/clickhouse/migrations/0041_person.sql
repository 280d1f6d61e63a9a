-- One person's touchpoints. A look-up by the present owner alone has no key to go by: this view gives their identifiers.

CREATE OR REPLACE VIEW person_touchpoints AS
SELECT *
FROM touchpoints_current
WHERE tenant = {tenant:String} AND profile_id = {profile_id:UUID}
    AND (identifier_type, identifier_value) IN (
        SELECT identifier_type, identifier_value FROM raw_profile_identifiers
        WHERE tenant = {tenant:String} AND profile_id = {profile_id:UUID}
        UNION ALL
        SELECT identifier.1, identifier.2 FROM (
            SELECT arrayJoin(identifiers) AS identifier FROM journeys
            WHERE tenant = {tenant:String} AND profile_id = {profile_id:UUID}
        )
    )
COMMENT 'All touchpoints of one person, with the columns of touchpoints_current. It looks them up by the identifiers that the person''s journey and row in profiles name, which is many times faster than to search touchpoints_current by profile_id.\nParameters: tenant String = default, profile_id UUID\nExample: SELECT occurred_at, channel, type FROM person_touchpoints(tenant = ''default'', profile_id = ''00000000-0000-0000-0000-000000000000'') ORDER BY occurred_at';
