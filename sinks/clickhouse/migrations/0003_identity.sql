-- Who is who: now, at any instant, and why. docs/identity.md shows each of these at work.

-- Every version of every assignment. published_at is part of the key: a decision that was published again after a
-- crash is a row of its own, so that the first publication never gives way to the second.
CREATE TABLE IF NOT EXISTS identity_assignment_history (
    tenant LowCardinality(String),
    identifier_type LowCardinality(String),
    identifier_value String,
    profile_id String COMMENT 'Owner of what the identifier did, before contested_from if that is set',
    contested_from Nullable(DateTime64(3, 'UTC')) COMMENT 'From this event time on it belongs to contested_profile_id: a shared device',
    contested_profile_id String,
    event_id String COMMENT 'The touchpoint that caused the decision',
    occurred_at DateTime64(3, 'UTC') COMMENT 'Event time of that touchpoint',
    version UInt64,
    is_deleted UInt8 COMMENT '1: from here on the identifier was its own profile again',
    source_topic LowCardinality(String),
    source_partition Int32,
    source_offset UInt64,
    published_at DateTime64(3, 'UTC') COMMENT 'When the decision was published: from then on subscribers could know it',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, identifier_type, identifier_value, version, published_at)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Every decision on whose an identifier is; read identity_at';

CREATE OR REPLACE VIEW identity_at AS
SELECT
    tenant, identifier_type, identifier_value, profile_id, contested_from, contested_profile_id,
    event_id, occurred_at, version, published_at
FROM (
    SELECT *
    FROM identity_assignment_history
    WHERE published_at <= {at:DateTime64(3, 'UTC')}
    ORDER BY tenant, identifier_type, identifier_value, version DESC, published_at
    LIMIT 1 BY tenant, identifier_type, identifier_value
)
WHERE is_deleted = 0
COMMENT 'Who was who as published at an instant: SELECT * FROM identity_at(at = ''2026-01-31 12:00:00'')';

CREATE OR REPLACE VIEW identity_current AS
SELECT
    tenant, identifier_type, identifier_value, profile_id, contested_from, contested_profile_id,
    event_id, occurred_at, version
FROM identity_assignments FINAL
WHERE is_deleted = 0
COMMENT 'Whose each identifier is now, and the touchpoint that decided it; an identifier without a row is its own profile';

-- The map in memory: about 190 bytes an identifier, loaded at first use (1.3 million in 1.7 s), then once a minute. `touchline migrate` puts the user into the source.
CREATE OR REPLACE DICTIONARY identity_owners (
    tenant String,
    identifier_type String,
    identifier_value String,
    profile_id String DEFAULT '',
    contested_from Nullable(DateTime64(3, 'UTC')),
    contested_profile_id String DEFAULT '',
    version UInt64 DEFAULT 0
)
PRIMARY KEY tenant, identifier_type, identifier_value
SOURCE(CLICKHOUSE(TABLE 'identity_current' /* credentials */))
LAYOUT(COMPLEX_KEY_HASHED_ARRAY())
LIFETIME(MIN 30 MAX 60)
COMMENT 'identity_current in memory, up to a minute old: dictGet(''identity_owners'', ''profile_id'', (tenant, type, value))';
