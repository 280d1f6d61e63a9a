-- Sorting keys and partitions use only fields that are equal in all copies of a record. So all copies have one key in one
-- partition, and FINAL shows one of them. non_replicated_deduplication_window makes insert_deduplication_token work.

CREATE TABLE IF NOT EXISTS touchpoints (
    tenant LowCardinality(String),
    event_id String COMMENT 'Unique per real event of its source',
    occurred_at DateTime64(3, 'UTC') COMMENT 'By the source''s clock; times outside 1900-2299 are stored as the nearest of these',
    received_at DateTime64(3, 'UTC'),
    source LowCardinality(String) COMMENT 'The publishing system',
    channel LowCardinality(String),
    type LowCardinality(String),
    identifier_type LowCardinality(String) COMMENT 'Of the strongest usable identifier: the one that owns the touchpoint',
    identifier_value String,
    profile_id String COMMENT 'Owner when it was stitched; the present owner stands in touchpoints_current',
    assignment_version Int64 COMMENT 'Version of the assignment it was stitched under; -1 for none',
    identifiers Array(Tuple(type String, value String)),
    account_id String,
    session_id String,
    issue_id String,
    order_id String COMMENT 'Several touchpoints of one order count once in a journey',
    campaign LowCardinality(String),
    amount_minor Nullable(Int64) COMMENT 'Minor units of currency',
    currency LowCardinality(String),
    sentiment Nullable(Float64) COMMENT '-1 to 1',
    score_kind LowCardinality(String) COMMENT 'NPS, CSAT or CES',
    score_value Nullable(Float64),
    consent Map(LowCardinality(String), LowCardinality(String)),
    experiments Map(LowCardinality(String), String),
    link LowCardinality(String),
    attributes Map(LowCardinality(String), String),
    checksum UInt64 COMMENT 'Of the encoded touchpoint: the last tie-break among the copies of an event',
    version UInt256 COMMENT 'Orders the rows of one owner and time: FINAL shows the one received first, then of the smallest checksum, then of the newest assignment',
    source_topic LowCardinality(String),
    source_partition Int32,
    source_offset UInt64,
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3),
    event UInt64 MATERIALIZED sipHash64(tenant, source, event_id) COMMENT 'The same for all copies of an event',
    copy UInt64 MATERIALIZED sipHash64(tenant, source, event_id, occurred_at, identifier_type, identifier_value)
        COMMENT 'Equal for all rows among which FINAL chooses'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (tenant, occurred_at, source, event_id, identifier_type, identifier_value)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Every touchpoint with the owner it was stitched to; read touchpoints_current';

CREATE TABLE IF NOT EXISTS identity_links (
    tenant LowCardinality(String),
    left_type LowCardinality(String),
    left_value String,
    right_type LowCardinality(String),
    right_value String,
    occurred_at DateTime64(3, 'UTC'),
    kind LowCardinality(String) COMMENT 'OBSERVED or ASSERTED',
    event_id String COMMENT 'The touchpoint that is the evidence',
    source LowCardinality(String),
    source_topic LowCardinality(String),
    source_partition Int32,
    source_offset UInt64,
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3),
    INDEX right_value right_value TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(source_offset)
ORDER BY (tenant, left_type, left_value, right_type, right_value, kind, occurred_at, event_id, source)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Evidence that two identifiers are one person''s; read with FINAL';

CREATE TABLE IF NOT EXISTS identity_assignments (
    tenant LowCardinality(String),
    identifier_type LowCardinality(String),
    identifier_value String,
    profile_id String COMMENT 'Owner of what the identifier did, before contested_from if that is set',
    contested_from Nullable(DateTime64(3, 'UTC')) COMMENT 'From this event time on it belongs to contested_profile_id: a shared device',
    contested_profile_id String,
    event_id String COMMENT 'The touchpoint that caused the decision',
    occurred_at DateTime64(3, 'UTC'),
    version UInt64,
    is_deleted UInt8,
    source_topic LowCardinality(String),
    source_partition Int32,
    source_offset UInt64,
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (tenant, identifier_type, identifier_value)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'The present owner of each identifier; read with FINAL';

CREATE TABLE IF NOT EXISTS profile_changes (
    tenant LowCardinality(String),
    change_id String,
    kind LowCardinality(String) COMMENT 'MERGED, SPLIT or ERASED',
    profile_id String COMMENT 'MERGED: the survivor; SPLIT: the profile that lost identifiers; ERASED: the profile that is gone',
    others Array(String),
    rule LowCardinality(String),
    event_id String,
    occurred_at DateTime64(3, 'UTC'),
    version UInt64,
    source_topic LowCardinality(String),
    source_partition Int32,
    source_offset UInt64,
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, change_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Profiles merged, split and erased, and why; read with FINAL';

CREATE TABLE IF NOT EXISTS journey_states (
    tenant LowCardinality(String),
    profile_id String,
    state_hash String,
    as_of DateTime64(3, 'UTC') COMMENT 'Event time of the newest touchpoint',
    identifiers Array(Tuple(type String, value String)),
    account_id String,
    touchpoints Int64,
    late Int64 COMMENT 'Touchpoints beyond the horizon: stored, not folded in',
    first_seen DateTime64(3, 'UTC'),
    last_seen DateTime64(3, 'UTC'),
    stage LowCardinality(String),
    stage_since DateTime64(3, 'UTC'),
    stages Map(LowCardinality(String), DateTime64(3, 'UTC')) COMMENT 'Stage to when it was first reached',
    components Map(LowCardinality(String), DateTime64(3, 'UTC')) COMMENT 'Component to its last touch',
    sessions Int64,
    session_id String COMMENT 'Of the session with the latest activity, if the source gave one',
    session_started_at Nullable(DateTime64(3, 'UTC')),
    session_last_at Nullable(DateTime64(3, 'UTC')),
    session_touchpoints Int64,
    channels Map(LowCardinality(String), Int64) COMMENT 'Channel to its touchpoints',
    channels_inbound Map(LowCardinality(String), Int64) COMMENT 'Channel to the customer''s own touchpoints',
    channels_good Map(LowCardinality(String), Int64) COMMENT 'Channel to its good outcomes',
    channels_bad Map(LowCardinality(String), Int64) COMMENT 'Channel to its bad outcomes',
    channels_last_at Map(LowCardinality(String), DateTime64(3, 'UTC')),
    last_channel LowCardinality(String),
    preferred_channel LowCardinality(String) COMMENT 'The inbound one with the best share of good outcomes',
    channel_switches Int64,
    handoffs Int64 COMMENT 'Digital to human channel within one issue',
    friction Float64,
    effort Float64 COMMENT '0-100 over 30 days',
    effort_answered UInt8 COMMENT 'Whether effort is the customer''s own answer (CES)',
    ouch_moments Int64,
    wow_moments Int64,
    sentiment Nullable(Float64),
    sentiment_trend Nullable(Float64) COMMENT '1-day less 7-day mean: positive is getting better',
    nps Nullable(Float64),
    csat Nullable(Float64),
    ces Nullable(Float64),
    open_issues Array(Tuple(issue_id String, opened_at DateTime64(3, 'UTC'), due_at DateTime64(3, 'UTC'), last_contact_at DateTime64(3, 'UTC'), contacts Int64, channels Array(String))),
    issues_solved Int64,
    issues_first_contact Int64 COMMENT 'Of those solved, with at most one separate contact',
    first_contact_resolution Nullable(Float64) COMMENT '0-1',
    expectations Array(Tuple(kind String, opened_at DateTime64(3, 'UTC'), due_at DateTime64(3, 'UTC'), status String, event_id String, issue_id String)),
    carts Int64,
    carts_met Int64,
    consent Map(LowCardinality(String), LowCardinality(String)),
    orders Int64,
    orders_returned Int64,
    orders_cancelled Int64,
    revenue Map(LowCardinality(String), Int64) COMMENT 'Currency to minor units: orders less refunds',
    first_campaign LowCardinality(String),
    last_campaign LowCardinality(String),
    marketing_touches Int64 COMMENT 'In the last 30 days before as_of',
    marketing_first_at Nullable(DateTime64(3, 'UTC')),
    marketing_first_channel LowCardinality(String),
    marketing_first_type LowCardinality(String),
    marketing_first_campaign LowCardinality(String),
    marketing_last_at Nullable(DateTime64(3, 'UTC')),
    marketing_last_channel LowCardinality(String),
    marketing_last_type LowCardinality(String),
    marketing_last_campaign LowCardinality(String),
    experiments Map(LowCardinality(String), String),
    recent Array(Tuple(event_id String, occurred_at DateTime64(3, 'UTC'), channel String, type String)),
    likely_next Array(Tuple(type String, probability Float64)) COMMENT 'The most probable next inbound touchpoints; a prediction, not part of state_hash',
    issue_risk Nullable(Float64) COMMENT 'Probability of an inbound service contact within 7 days after as_of; a prediction',
    model_version String COMMENT 'Of the model that predicted: form.partition.touchpoints learnt',
    version UInt64,
    is_deleted UInt8,
    source_topic LowCardinality(String),
    source_partition Int32,
    source_offset UInt64,
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (tenant, profile_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Every published state of every journey; read journeys';

CREATE TABLE IF NOT EXISTS journey_signals (
    tenant LowCardinality(String),
    profile_id String,
    signal_id String COMMENT 'Names one signal of one profile',
    subject_id String COMMENT 'Names the subject of the signal: equal in every profile',
    kind LowCardinality(String),
    status LowCardinality(String) COMMENT 'RAISED or RETRACTED',
    reason LowCardinality(String) COMMENT 'Why it is retracted: CONTRADICTED, MOVED, ERASED or LET_GO',
    successor String COMMENT 'If MOVED: the profile that has the subject now',
    occurred_at DateTime64(3, 'UTC'),
    rule String,
    event_ids Array(String),
    details Map(LowCardinality(String), String),
    version UInt64,
    source_topic LowCardinality(String),
    source_partition Int32,
    source_offset UInt64,
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, profile_id, signal_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'What services may act on; read signals_open, or with FINAL';

-- Dead letters contain personal data, so their TTL equals the retention of their topic. The TTL counts from loaded_at:
-- recorded_at comes from the producer, and a back-dated record would expire at once.
CREATE TABLE IF NOT EXISTS dead_letters (
    reason LowCardinality(String),
    error String,
    component LowCardinality(String) COMMENT 'The processor that rejected it',
    component_version LowCardinality(String),
    topic LowCardinality(String) COMMENT 'Where the original record is',
    partition Int64,
    offset Int64,
    recorded_at DateTime64(3, 'UTC'),
    key String,
    value String COMMENT 'The original bytes',
    headers Array(Tuple(name String, value String)),
    source_topic LowCardinality(String),
    source_partition Int32,
    source_offset UInt64,
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(source_offset)
ORDER BY (topic, partition, offset, component)
TTL toDateTime(loaded_at) + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Rejected records with their original bytes; read with FINAL';
