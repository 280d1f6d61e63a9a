-- Later migrations replace some of these views, 0004 first.
-- Views for analysts. Every view reads with FINAL, so it shows no duplicates and no older versions.

CREATE OR REPLACE VIEW touchpoints_current AS
SELECT
    t.* EXCEPT (profile_id, assignment_version, checksum, version, source_topic, source_partition, source_offset, loaded_at),
    multiIf(
        empty(a.profile_id) OR t.assignment_version > a.version, t.profile_id,
        t.occurred_at >= a.contested_from, ifNull(a.contested_profile_id, a.profile_id),
        a.profile_id
    ) AS profile_id
FROM raw_touchpoints AS t FINAL
LEFT JOIN (
    SELECT tenant, identifier_type, identifier_value, profile_id, contested_from, contested_profile_id, version
    FROM raw_identity_assignments FINAL
) AS a USING (tenant, identifier_type, identifier_value)
COMMENT 'Every touchpoint once, with the profile that owns it now';

CREATE OR REPLACE VIEW profiles AS
SELECT
    tenant,
    profile_id,
    arraySort(groupUniqArray((identifier_type, identifier_value))) AS identifiers,
    count() AS touchpoints,
    min(occurred_at) AS first_seen,
    max(occurred_at) AS last_seen,
    arraySort(groupUniqArray(channel)) AS channels
FROM touchpoints_current
GROUP BY tenant, profile_id
COMMENT 'Every person: the identifiers that own their touchpoints, how many, since when, over which channels';

CREATE OR REPLACE VIEW journeys AS
SELECT * EXCEPT (is_deleted, source_topic, source_partition, source_offset, loaded_at)
FROM raw_journey_states FINAL
WHERE is_deleted = 0
COMMENT 'The present state of every journey';

CREATE OR REPLACE VIEW journey_stages AS
SELECT
    tenant,
    stage,
    count() AS profiles,
    avg(friction) AS friction,
    avg(sentiment) AS sentiment,
    sum(orders) AS orders
FROM journeys
GROUP BY tenant, stage
COMMENT 'Lifecycle stages: the people in each, their mean friction and sentiment, and the sum of their orders';

CREATE OR REPLACE VIEW signals_open AS
SELECT * EXCEPT (source_topic, source_partition, source_offset, loaded_at)
FROM raw_journey_signals FINAL
WHERE status = 'RAISED'
COMMENT 'Signals that are raised and not retracted';

CREATE OR REPLACE VIEW signals_all AS
SELECT * EXCEPT (source_topic, source_partition, source_offset, loaded_at)
FROM raw_journey_signals FINAL
COMMENT 'Every signal once, as it stands now: status is RAISED or RETRACTED';
