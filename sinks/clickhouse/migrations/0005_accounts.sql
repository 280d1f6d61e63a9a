-- Business accounts (B2B): the journeys of all members taken together.

CREATE TABLE IF NOT EXISTS raw_account_states (
    tenant LowCardinality(String) COMMENT 'Whose customers these are',
    account_id String COMMENT 'Business account (B2B); empty for none',
    state_hash String COMMENT 'Equal for equal states: hash over all fields but predictions',
    as_of DateTime64(3, 'UTC') COMMENT 'Event time of the newest touchpoint of any member',
    members Int64 COMMENT 'Profiles whose latest account this is',
    member_ids Array(UUID) COMMENT 'The 100 with the newest touchpoints, newest first',
    stages Map(LowCardinality(String), Int64) COMMENT 'Lifecycle stage to members in it',
    touchpoints Int64 COMMENT 'Of all members',
    open_issues Int64 COMMENT 'Cases open with at least one member',
    oldest_issues Array(Tuple(issue_id String, opened_at DateTime64(3, 'UTC'), last_contact_at DateTime64(3, 'UTC'), contacts Int64, channels Array(String), profile_ids Array(UUID))) COMMENT 'The 50 open longest',
    issues_solved Int64 COMMENT 'Cases that were solved for any member',
    sentiment Nullable(Float64) COMMENT 'Mean over the members that have one, -1 to 1',
    friction_mean Float64 COMMENT 'Over the members, as of as_of',
    friction_max Float64 COMMENT 'Over the members, as of as_of',
    orders Int64 COMMENT 'Of all members',
    revenue Map(LowCardinality(String), Int64) COMMENT 'Currency to minor units: orders less refunds',
    last_at DateTime64(3, 'UTC') COMMENT 'Event time of the newest touchpoint of any member',
    last_channel LowCardinality(String) COMMENT 'Channel of the newest touchpoint',
    last_type LowCardinality(String) COMMENT 'Type of the newest touchpoint',
    last_profile_id UUID COMMENT 'The member of the newest touchpoint',
    last_event_id String COMMENT 'Its event',
    version UInt64 COMMENT 'Of several rows of one key the highest version holds',
    is_deleted UInt8 COMMENT '1: withdrawn',
    source_topic LowCardinality(String) COMMENT 'Where its record is in Kafka',
    source_partition Int32 COMMENT 'Where its record is in Kafka',
    source_offset UInt64 COMMENT 'Where its record is in Kafka',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (tenant, account_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Internal: every published state of every account; read accounts';

CREATE OR REPLACE VIEW accounts AS
SELECT * EXCEPT (is_deleted, source_topic, source_partition, source_offset, loaded_at)
FROM raw_account_states FINAL
WHERE is_deleted = 0
COMMENT 'The present state of every business account';
