-- What was erased stays erased: rows are deleted, and as long as Kafka may bring old ones back, `erasures` hides them.

CREATE TABLE IF NOT EXISTS identity_corrections (
    tenant LowCardinality(String),
    kind LowCardinality(String) COMMENT 'ERASE or UNLINK',
    left_type LowCardinality(String),
    left_value String,
    right_type LowCardinality(String) COMMENT 'Empty for ERASE',
    right_value String,
    occurred_at DateTime64(3, 'UTC') COMMENT 'Evidence up to this event time counts no more',
    event_id String COMMENT 'The request',
    source LowCardinality(String),
    source_topic LowCardinality(String),
    source_partition Int32,
    source_offset UInt64,
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(source_offset)
ORDER BY (tenant, kind, left_type, left_value, right_type, right_value, occurred_at, event_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Erasures and withdrawn links; read with FINAL';

CREATE TABLE IF NOT EXISTS erasures (
    tenant LowCardinality(String),
    identifier_type LowCardinality(String),
    identifier_value String COMMENT 'As it is stored: a pseudonym where the policy says so',
    erased_at DateTime64(3, 'UTC') COMMENT 'What it did up to this event time is erased',
    profile_id String COMMENT 'Owner of what it did later, unless a newer assignment says otherwise',
    version UInt64,
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, identifier_type, identifier_value)
COMMENT 'The identifiers that were erased, so that nothing brings them back; read with FINAL';

CREATE TABLE IF NOT EXISTS erasure_receipts (
    tenant LowCardinality(String),
    request_id String COMMENT 'event_id of the request',
    identifier_type LowCardinality(String),
    identifier_value String,
    erased_at DateTime64(3, 'UTC'),
    profile_ids Array(String) COMMENT 'Profiles that may have held it',
    deleted Map(LowCardinality(String), UInt64) COMMENT 'Table to the rows that were deleted, or cleaned of the identifier',
    done UInt8 COMMENT '0: accepted, to be deleted within seconds; 1: deleted',
    version UInt64,
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, request_id, identifier_type, identifier_value)
COMMENT 'Which erasures were asked for, and what was deleted for them; read with FINAL';

CREATE OR REPLACE VIEW identity_links_current AS
SELECT l.* EXCEPT (source_topic, source_partition, source_offset, loaded_at)
FROM identity_links AS l FINAL
LEFT JOIN (
    SELECT tenant, left_type, left_value, max(occurred_at) AS until
    FROM identity_corrections WHERE kind = 'ERASE' GROUP BY tenant, left_type, left_value
) AS one ON l.tenant = one.tenant AND l.left_type = one.left_type AND l.left_value = one.left_value
LEFT JOIN (
    SELECT tenant, left_type, left_value, max(occurred_at) AS until
    FROM identity_corrections WHERE kind = 'ERASE' GROUP BY tenant, left_type, left_value
) AS other ON l.tenant = other.tenant AND l.right_type = other.left_type AND l.right_value = other.left_value
LEFT JOIN (
    SELECT tenant, left_type, left_value, right_type, right_value, max(occurred_at) AS until
    FROM identity_corrections WHERE kind = 'UNLINK'
    GROUP BY tenant, left_type, left_value, right_type, right_value
) AS pair ON l.tenant = pair.tenant AND l.left_type = pair.left_type AND l.left_value = pair.left_value
    AND l.right_type = pair.right_type AND l.right_value = pair.right_value
WHERE (one.left_type = '' OR l.occurred_at > one.until)
    AND (other.left_type = '' OR l.occurred_at > other.until)
    AND (pair.left_type = '' OR l.occurred_at > pair.until)
COMMENT 'The evidence that counts: without what erasures and withdrawn links cut';

CREATE OR REPLACE VIEW touchpoints_current AS
SELECT
    t.* EXCEPT (profile_id, assignment_version, version, source_topic, source_partition, source_offset, loaded_at),
    multiIf(
        a.profile_id = '' AND t.assignment_version < toInt64(e.version) AND e.profile_id != '', e.profile_id,
        a.profile_id = '' OR t.assignment_version > a.version, t.profile_id,
        t.occurred_at >= a.contested_from, a.contested_profile_id,
        a.profile_id
    ) AS profile_id
FROM touchpoints AS t FINAL
LEFT JOIN (
    SELECT tenant, identifier_type, identifier_value, profile_id, contested_from, contested_profile_id, version
    FROM identity_assignments FINAL
) AS a USING (tenant, identifier_type, identifier_value)
LEFT JOIN (
    SELECT tenant, identifier_type, identifier_value, profile_id, erased_at, version FROM erasures FINAL
) AS e USING (tenant, identifier_type, identifier_value)
WHERE e.profile_id = '' OR t.occurred_at > e.erased_at
COMMENT 'Every touchpoint once that was not erased, with the profile that owns it now';
