-- The owners of identifiers: now, and as published at an instant. docs/identity.md shows examples.

-- Every version of every assignment. published_at is part of the sorting key: a decision that is published again after a
-- crash gets its own row, and does not replace the first publication.
CREATE TABLE IF NOT EXISTS raw_identity_assignment_history (
    tenant LowCardinality(String) COMMENT 'Whose customers these are',
    identifier_type LowCardinality(String) COMMENT 'cookie, email, customer_id, …',
    identifier_value String COMMENT 'As it is stored: a pseudonym where the policy says so',
    profile_id UUID COMMENT 'Owner of what the identifier did, before contested_from if that is set; all zeros if it is withdrawn',
    contested_from Nullable(DateTime64(3, 'UTC')) COMMENT 'From this event time on it belongs to contested_profile_id: a shared device',
    contested_profile_id Nullable(UUID) COMMENT 'Owner from contested_from on; NULL if that is not set',
    event_id String COMMENT 'The touchpoint that caused the decision',
    occurred_at DateTime64(3, 'UTC') COMMENT 'Event time of that touchpoint',
    version UInt64 COMMENT 'Of several rows of one key the highest version holds',
    is_deleted UInt8 COMMENT '1: from published_at on the identifier is a profile of its own',
    source_topic LowCardinality(String) COMMENT 'Where its record is in Kafka',
    source_partition Int32 COMMENT 'Where its record is in Kafka',
    source_offset UInt64 COMMENT 'Where its record is in Kafka',
    published_at DateTime64(3, 'UTC') COMMENT 'When the decision was published: from then on subscribers could know it',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, identifier_type, identifier_value, version, published_at)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Internal: every decision on the owner of an identifier; read identity_at';

CREATE OR REPLACE VIEW identity_at AS
SELECT
    tenant, identifier_type, identifier_value, profile_id, contested_from, contested_profile_id,
    event_id, occurred_at, version, published_at
FROM (
    SELECT *
    FROM raw_identity_assignment_history
    WHERE published_at <= {at:DateTime64(3, 'UTC')}
    ORDER BY tenant, identifier_type, identifier_value, version DESC, published_at
    LIMIT 1 BY tenant, identifier_type, identifier_value
)
WHERE is_deleted = 0
COMMENT 'The owners of identifiers as published at an instant: SELECT * FROM identity_at(at = ''2026-01-31 12:00:00'')';

CREATE OR REPLACE VIEW identity_current AS
SELECT
    tenant, identifier_type, identifier_value, profile_id, contested_from, contested_profile_id,
    event_id, occurred_at, version
FROM raw_identity_assignments FINAL
WHERE is_deleted = 0
COMMENT 'The present owner of each identifier, and the touchpoint that decided it; an identifier without a row is a profile of its own';

-- A dictionary keeps identity_current in memory: about 190 bytes an identifier. ClickHouse loads it at first use (1.3
-- million identifiers in 1.7 s), then once a minute. `touchline migrate` fills in user and password.
CREATE OR REPLACE DICTIONARY identity_owners (
    tenant String,
    identifier_type String,
    identifier_value String,
    profile_id Nullable(UUID),
    contested_from Nullable(DateTime64(3, 'UTC')),
    contested_profile_id Nullable(UUID),
    version UInt64 DEFAULT 0
)
PRIMARY KEY tenant, identifier_type, identifier_value
SOURCE(CLICKHOUSE(TABLE 'identity_current' /* credentials */))
LAYOUT(COMPLEX_KEY_HASHED_ARRAY())
LIFETIME(MIN 30 MAX 60)
COMMENT 'identity_current in memory, up to a minute old: dictGet(''identity_owners'', ''profile_id'', (tenant, type, value))';
