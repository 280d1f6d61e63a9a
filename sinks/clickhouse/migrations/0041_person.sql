-- One person's touchpoints. A look-up by the present owner alone has no key to go by: this view gives their identifiers.
-- It reads the table itself: the Bloom filter of identifier_value skips the weeks in which they did nothing. All rows of
-- a key have one identifier, so what the filter skips before FINAL holds no newer row. A filter on the owner would.

CREATE OR REPLACE VIEW person_touchpoints AS
SELECT
    tenant, event_id, occurred_at, received_at, source, channel, type, identifier_type, identifier_value, identifiers,
    account_id, session_id, issue_id, order_id, campaign, amount_minor, currency, sentiment, score_kind, score_value,
    consent, experiments, link, attributes, owner_id AS profile_id
FROM raw_touchpoints FINAL
WHERE tenant = {tenant:String} AND owner_id = {profile_id:UUID} AND is_erased = 0
    AND copy_id NOT IN (SELECT copy_id FROM raw_touchpoint_verdicts FINAL WHERE counts = 0)
    AND (identifier_type, identifier_value) IN (
        SELECT identifier_type, identifier_value FROM raw_profile_identifiers
        WHERE tenant = {tenant:String} AND profile_id = {profile_id:UUID}
        UNION ALL
        SELECT identifier.1, identifier.2 FROM (
            SELECT arrayJoin(identifiers) AS identifier FROM raw_journey_states FINAL
            WHERE tenant = {tenant:String} AND profile_id = {profile_id:UUID}
        )
    )
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1,
    use_skip_indexes_if_final_exact_mode = 0, ignore_data_skipping_indices = 'owner_id'
COMMENT 'All touchpoints of one person, with the columns of touchpoints_current. It looks them up by the identifiers that the person''s journey and raw_profile_identifiers name, which is many times faster than to search touchpoints_current by profile_id.\nParameters: tenant String = default, profile_id UUID\nExample: SELECT occurred_at, channel, type FROM person_touchpoints(tenant = ''default'', profile_id = ''00000000-0000-0000-0000-000000000000'') ORDER BY occurred_at';
