-- Business accounts (B2B): the journeys of all members taken together.

CREATE TABLE IF NOT EXISTS account_states (
    tenant LowCardinality(String),
    account_id String,
    state_hash String,
    as_of DateTime64(3, 'UTC') COMMENT 'Event time of the newest touchpoint of any member',
    members Int64 COMMENT 'Profiles whose latest account this is',
    member_ids Array(String) COMMENT 'The 100 with the newest touchpoints, newest first',
    stages Map(LowCardinality(String), Int64) COMMENT 'Lifecycle stage to members in it',
    touchpoints Int64,
    open_issues Int64 COMMENT 'Cases open with at least one member',
    oldest_issues Array(Tuple(issue_id String, opened_at DateTime64(3, 'UTC'), last_contact_at DateTime64(3, 'UTC'), contacts Int64, channels Array(String), profile_ids Array(String))) COMMENT 'The 50 open longest',
    issues_solved Int64,
    sentiment Nullable(Float64) COMMENT 'Mean over the members that have one, -1 to 1',
    friction_mean Float64 COMMENT 'Over the members, as of as_of',
    friction_max Float64,
    orders Int64,
    revenue Map(LowCardinality(String), Int64) COMMENT 'Currency to minor units: orders less refunds',
    last_at DateTime64(3, 'UTC') COMMENT 'Event time of the newest touchpoint of any member',
    last_channel LowCardinality(String),
    last_type LowCardinality(String),
    last_profile_id String COMMENT 'The member of the newest touchpoint',
    last_event_id String,
    version UInt64,
    is_deleted UInt8,
    source_topic LowCardinality(String),
    source_partition Int32,
    source_offset UInt64,
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (tenant, account_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Every published state of every account; read accounts';

CREATE OR REPLACE VIEW accounts AS
SELECT * EXCEPT (is_deleted, source_topic, source_partition, source_offset, loaded_at)
FROM account_states FINAL
WHERE is_deleted = 0
COMMENT 'The present state of every business account';
