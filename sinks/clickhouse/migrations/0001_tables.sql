-- Sorting keys and partitions use only fields that are equal in all copies of a record. So all copies have one key in one
-- partition, and FINAL shows one of them. non_replicated_deduplication_window makes insert_deduplication_token work.

CREATE TABLE IF NOT EXISTS raw_touchpoints (
    tenant LowCardinality(String) COMMENT 'Whose customers these are',
    event_id String COMMENT 'Unique per real event of its source',
    occurred_at DateTime64(3, 'UTC') COMMENT 'By the source''s clock; times outside 1900-2299 are stored as the nearest of these',
    received_at DateTime64(3, 'UTC') COMMENT 'When it reached Touchline',
    source LowCardinality(String) COMMENT 'The publishing system',
    channel LowCardinality(String) COMMENT 'By the catalogue: web, app, email, phone, …',
    type LowCardinality(String) COMMENT 'By the catalogue: product_view, order_placed, …',
    identifier_type LowCardinality(String) COMMENT 'Of the strongest usable identifier: the one that owns the touchpoint',
    identifier_value String COMMENT 'As it is stored: a pseudonym where the policy says so',
    profile_id UUID COMMENT 'Owner when it was stitched; the present owner stands in touchpoints_current',
    assignment_version Int64 COMMENT 'Version of the assignment it was stitched under; -1 for none',
    identifiers Array(Tuple(type String, value String)) COMMENT 'Type and value of each',
    account_id String COMMENT 'Business account (B2B); empty for none',
    session_id String COMMENT 'The source''s own session; empty for none',
    issue_id String COMMENT 'The case it is about; empty for none',
    order_id String COMMENT 'Several touchpoints of one order count once in a journey',
    campaign LowCardinality(String) COMMENT 'Empty for none',
    amount_minor Nullable(Int64) COMMENT 'Minor units of currency',
    currency LowCardinality(String) COMMENT 'Of amount_minor, ISO 4217; empty for none',
    sentiment Nullable(Float64) COMMENT '-1 to 1',
    score_kind LowCardinality(String) COMMENT 'NPS, CSAT or CES',
    score_value Nullable(Float64) COMMENT 'The customer''s answer on the scale of score_kind',
    consent Map(LowCardinality(String), LowCardinality(String)) COMMENT 'Purpose to what was decided last',
    experiments Map(LowCardinality(String), String) COMMENT 'Experiment to variant',
    link LowCardinality(String) COMMENT 'OBSERVED or ASSERTED: how its identifiers belong together',
    attributes Map(LowCardinality(String), String) COMMENT 'Whatever else the source said',
    checksum UInt64 COMMENT 'Of the encoded touchpoint: the last tie-break among the copies of an event',
    version UInt256 COMMENT 'Orders the rows of one owner and time: FINAL shows the one received first, then of the smallest checksum, then of the newest assignment',
    source_topic LowCardinality(String) COMMENT 'Where its record is in Kafka',
    source_partition Int32 COMMENT 'Where its record is in Kafka',
    source_offset UInt64 COMMENT 'Where its record is in Kafka',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written',
    event UInt64 MATERIALIZED sipHash64(tenant, source, event_id) COMMENT 'The same for all copies of an event',
    copy UInt64 MATERIALIZED sipHash64(tenant, source, event_id, occurred_at, identifier_type, identifier_value)
        COMMENT 'Equal for all rows among which FINAL chooses'
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (tenant, occurred_at, source, event_id, identifier_type, identifier_value)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Internal: every touchpoint with the owner it was stitched to; read touchpoints_current';

CREATE TABLE IF NOT EXISTS raw_identity_links (
    tenant LowCardinality(String) COMMENT 'Whose customers these are',
    left_type LowCardinality(String) COMMENT 'Type of the one identifier',
    left_value String COMMENT 'Value of the one identifier, as it is stored',
    right_type LowCardinality(String) COMMENT 'Type of the other identifier',
    right_value String COMMENT 'Value of the other identifier, as it is stored',
    occurred_at DateTime64(3, 'UTC') COMMENT 'Event time',
    kind LowCardinality(String) COMMENT 'OBSERVED or ASSERTED',
    event_id String COMMENT 'The touchpoint that is the evidence',
    source LowCardinality(String) COMMENT 'The publishing system',
    source_topic LowCardinality(String) COMMENT 'Where its record is in Kafka',
    source_partition Int32 COMMENT 'Where its record is in Kafka',
    source_offset UInt64 COMMENT 'Where its record is in Kafka',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written',
    INDEX right_value right_value TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(source_offset)
ORDER BY (tenant, left_type, left_value, right_type, right_value, kind, occurred_at, event_id, source)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Internal: evidence that two identifiers are one person''s; read identity_links_current';

CREATE TABLE IF NOT EXISTS raw_identity_assignments (
    tenant LowCardinality(String) COMMENT 'Whose customers these are',
    identifier_type LowCardinality(String) COMMENT 'cookie, email, customer_id, …',
    identifier_value String COMMENT 'As it is stored: a pseudonym where the policy says so',
    profile_id UUID COMMENT 'Owner of what the identifier did, before contested_from if that is set; all zeros if it is withdrawn',
    contested_from Nullable(DateTime64(3, 'UTC')) COMMENT 'From this event time on it belongs to contested_profile_id: a shared device',
    contested_profile_id Nullable(UUID) COMMENT 'Owner from contested_from on; NULL if that is not set',
    event_id String COMMENT 'The touchpoint that caused the decision',
    occurred_at DateTime64(3, 'UTC') COMMENT 'Event time',
    version UInt64 COMMENT 'Of several rows of one key the highest version holds',
    is_deleted UInt8 COMMENT '1: withdrawn',
    source_topic LowCardinality(String) COMMENT 'Where its record is in Kafka',
    source_partition Int32 COMMENT 'Where its record is in Kafka',
    source_offset UInt64 COMMENT 'Where its record is in Kafka',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (tenant, identifier_type, identifier_value)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000
COMMENT 'Internal: the present owner of each identifier; read identity_current';

CREATE TABLE IF NOT EXISTS profile_changes (
    tenant LowCardinality(String) COMMENT 'Whose customers these are',
    change_id UUID COMMENT 'Names the change',
    kind LowCardinality(String) COMMENT 'MERGED, SPLIT or ERASED',
    profile_id UUID COMMENT 'MERGED: the survivor; SPLIT: the profile that lost identifiers; ERASED: the profile that is gone',
    others Array(UUID) COMMENT 'The other profiles of the change',
    rule LowCardinality(String) COMMENT 'The rule that decided',
    event_id String COMMENT 'Unique per real event of its source',
    occurred_at DateTime64(3, 'UTC') COMMENT 'Event time',
    version UInt64 COMMENT 'Of several rows of one key the highest version holds',
    source_topic LowCardinality(String) COMMENT 'Where its record is in Kafka',
    source_partition Int32 COMMENT 'Where its record is in Kafka',
    source_offset UInt64 COMMENT 'Where its record is in Kafka',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, change_id)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Profiles merged, split and erased, and why; read with FINAL';

CREATE TABLE IF NOT EXISTS raw_journey_states (
    tenant LowCardinality(String) COMMENT 'Whose customers these are',
    profile_id UUID COMMENT 'The person',
    state_hash String COMMENT 'Equal for equal states: hash over all fields but predictions',
    as_of DateTime64(3, 'UTC') COMMENT 'Event time of the newest touchpoint',
    identifiers Array(Tuple(type String, value String)) COMMENT 'Type and value of each',
    account_id String COMMENT 'Business account (B2B); empty for none',
    touchpoints Int64 COMMENT 'How many were folded in',
    late Int64 COMMENT 'Touchpoints beyond the horizon: stored, not folded in',
    first_seen DateTime64(3, 'UTC') COMMENT 'Event time of the oldest touchpoint',
    last_seen DateTime64(3, 'UTC') COMMENT 'Event time of the newest touchpoint',
    stage LowCardinality(String) COMMENT 'Lifecycle stage',
    stage_since DateTime64(3, 'UTC') COMMENT 'Since when it is in that stage',
    stages Map(LowCardinality(String), DateTime64(3, 'UTC')) COMMENT 'Stage to when it was first reached',
    components Map(LowCardinality(String), DateTime64(3, 'UTC')) COMMENT 'Component to its last touch',
    sessions Int64 COMMENT 'How many sessions there were',
    session_id String COMMENT 'Of the session with the latest activity, if the source gave one',
    session_started_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Start of that session',
    session_last_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last touchpoint of that session',
    session_touchpoints Int64 COMMENT 'Touchpoints of that session',
    channels Map(LowCardinality(String), Int64) COMMENT 'Channel to its touchpoints',
    channels_inbound Map(LowCardinality(String), Int64) COMMENT 'Channel to the customer''s own touchpoints',
    channels_good Map(LowCardinality(String), Int64) COMMENT 'Channel to its good outcomes',
    channels_bad Map(LowCardinality(String), Int64) COMMENT 'Channel to its bad outcomes',
    channels_last_at Map(LowCardinality(String), DateTime64(3, 'UTC')) COMMENT 'Channel to its last touchpoint',
    last_channel LowCardinality(String) COMMENT 'Channel of the newest touchpoint',
    preferred_channel LowCardinality(String) COMMENT 'The inbound one with the best share of good outcomes',
    channel_switches Int64 COMMENT 'How often the person went to another channel',
    handoffs Int64 COMMENT 'Digital to human channel within one issue',
    friction Float64 COMMENT 'Decayed sum of the weights of types, as of as_of',
    effort Float64 COMMENT '0-100 over 30 days',
    effort_answered UInt8 COMMENT 'Whether effort is the customer''s own answer (CES)',
    ouch_moments Int64 COMMENT 'Bad moments, by the catalogue',
    wow_moments Int64 COMMENT 'Good moments, by the catalogue',
    sentiment Nullable(Float64) COMMENT 'Decayed mean, -1 to 1',
    sentiment_trend Nullable(Float64) COMMENT '1-day less 7-day mean: positive is getting better',
    nps Nullable(Float64) COMMENT 'Latest answer, 0-10',
    csat Nullable(Float64) COMMENT 'Latest answer, 1-5',
    ces Nullable(Float64) COMMENT 'Latest answer, 1-7',
    open_issues Array(Tuple(issue_id String, opened_at DateTime64(3, 'UTC'), due_at DateTime64(3, 'UTC'), last_contact_at DateTime64(3, 'UTC'), contacts Int64, channels Array(String))) COMMENT 'Cases that are open',
    issues_solved Int64 COMMENT 'Cases that were solved',
    issues_first_contact Int64 COMMENT 'Of those solved, with at most one separate contact',
    first_contact_resolution Nullable(Float64) COMMENT '0-1',
    expectations Array(Tuple(kind String, opened_at DateTime64(3, 'UTC'), due_at DateTime64(3, 'UTC'), status String, event_id String, issue_id String)) COMMENT 'What the person waits for, and until when',
    carts Int64 COMMENT 'Carts that were filled',
    carts_met Int64 COMMENT 'Carts that were ordered in time',
    consent Map(LowCardinality(String), LowCardinality(String)) COMMENT 'Purpose to what was decided last',
    orders Int64 COMMENT 'Orders that were placed',
    orders_returned Int64 COMMENT 'Of those returned',
    orders_cancelled Int64 COMMENT 'Of those cancelled',
    revenue Map(LowCardinality(String), Int64) COMMENT 'Currency to minor units: orders less refunds',
    first_campaign LowCardinality(String) COMMENT 'Campaign of the first touchpoint that had one',
    last_campaign LowCardinality(String) COMMENT 'Campaign of the last touchpoint that had one',
    marketing_touches Int64 COMMENT 'In the last 30 days before as_of',
    marketing_first_at Nullable(DateTime64(3, 'UTC')) COMMENT 'First marketing touchpoint: event time',
    marketing_first_channel LowCardinality(String) COMMENT 'First marketing touchpoint: channel',
    marketing_first_type LowCardinality(String) COMMENT 'First marketing touchpoint: type',
    marketing_first_campaign LowCardinality(String) COMMENT 'First marketing touchpoint: campaign',
    marketing_last_at Nullable(DateTime64(3, 'UTC')) COMMENT 'Last marketing touchpoint: event time',
    marketing_last_channel LowCardinality(String) COMMENT 'Last marketing touchpoint: channel',
    marketing_last_type LowCardinality(String) COMMENT 'Last marketing touchpoint: type',
    marketing_last_campaign LowCardinality(String) COMMENT 'Last marketing touchpoint: campaign',
    experiments Map(LowCardinality(String), String) COMMENT 'Experiment to variant',
    recent Array(Tuple(event_id String, occurred_at DateTime64(3, 'UTC'), channel String, type String)) COMMENT 'The newest touchpoints, newest last',
    likely_next Array(Tuple(type String, probability Float64)) COMMENT 'The most probable next inbound touchpoints; a prediction, not part of state_hash',
    issue_risk Nullable(Float64) COMMENT 'Probability of an inbound service contact within 7 days after as_of; a prediction',
    model_version String COMMENT 'Of the model that predicted: form.partition.touchpoints learnt',
    version UInt64 COMMENT 'Of several rows of one key the highest version holds',
    is_deleted UInt8 COMMENT '1: withdrawn',
    source_topic LowCardinality(String) COMMENT 'Where its record is in Kafka',
    source_partition Int32 COMMENT 'Where its record is in Kafka',
    source_offset UInt64 COMMENT 'Where its record is in Kafka',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (tenant, profile_id)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000
COMMENT 'Internal: every published state of every journey; read journeys';

CREATE TABLE IF NOT EXISTS raw_journey_signals (
    tenant LowCardinality(String) COMMENT 'Whose customers these are',
    profile_id UUID COMMENT 'The person',
    signal_id UUID COMMENT 'Names one signal of one profile',
    subject_id UUID COMMENT 'Names the subject of the signal: equal in every profile',
    kind LowCardinality(String) COMMENT 'Which signal: cart_abandoned, journey_waiting, …',
    status LowCardinality(String) COMMENT 'RAISED or RETRACTED',
    reason LowCardinality(String) COMMENT 'Why it is retracted: CONTRADICTED, MOVED, ERASED or LET_GO',
    successor Nullable(UUID) COMMENT 'If MOVED: the profile that has the subject now; NULL otherwise',
    occurred_at DateTime64(3, 'UTC') COMMENT 'Event time of the touchpoint that decided it',
    rule String COMMENT 'The rule that raised it',
    event_ids Array(String) COMMENT 'The touchpoints that caused it',
    details Map(LowCardinality(String), String) COMMENT 'What the rule adds',
    version UInt64 COMMENT 'Of several rows of one key the highest version holds',
    source_topic LowCardinality(String) COMMENT 'Where its record is in Kafka',
    source_partition Int32 COMMENT 'Where its record is in Kafka',
    source_offset UInt64 COMMENT 'Where its record is in Kafka',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, profile_id, signal_id)
SETTINGS index_granularity = 1024, non_replicated_deduplication_window = 1000
COMMENT 'Internal: what services may act on; read signals_open or signals_all';

-- Dead letters contain personal data, so their TTL equals the retention of their topic. The TTL counts from loaded_at:
-- recorded_at comes from the producer, and a back-dated record would expire at once.
CREATE TABLE IF NOT EXISTS dead_letters (
    reason LowCardinality(String) COMMENT 'Why it was rejected',
    error String COMMENT 'One sentence for people',
    component LowCardinality(String) COMMENT 'The processor that rejected it',
    component_version LowCardinality(String) COMMENT 'Version of the processor',
    topic LowCardinality(String) COMMENT 'Where the original record is',
    partition Int64 COMMENT 'Of topic',
    offset Int64 COMMENT 'Of partition',
    recorded_at DateTime64(3, 'UTC') COMMENT 'When it was recorded',
    key String COMMENT 'The key of the original record',
    value String COMMENT 'The original bytes',
    headers Array(Tuple(name String, value String)) COMMENT 'Headers of the original record',
    source_topic LowCardinality(String) COMMENT 'Where its record is in Kafka',
    source_partition Int32 COMMENT 'Where its record is in Kafka',
    source_offset UInt64 COMMENT 'Where its record is in Kafka',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(source_offset)
ORDER BY (topic, partition, offset, component)
TTL loaded_at + INTERVAL 30 DAY
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Rejected records with their original bytes; read with FINAL';
