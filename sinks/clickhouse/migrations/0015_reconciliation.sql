-- What the loader reconciles beside loading (sinks/clickhouse/write/reconcile/), and the views that read its results.

CREATE TABLE IF NOT EXISTS raw_reconciliations (
    run_id String COMMENT 'Names the run',
    what LowCardinality(String) COMMENT 'owners (and copies), or profiles',
    started_at DateTime64(3, 'UTC') COMMENT 'When the run began, by the server''s clock',
    since DateTime64(3, 'UTC') COMMENT 'It read everything that was loaded since',
    until DateTime64(3, 'UTC') COMMENT 'Everything that was loaded before is reconciled once the run has finished',
    finished UInt8 COMMENT '0: began; 1: ended without an error'
)
ENGINE = ReplacingMergeTree(finished)
ORDER BY (what, started_at, run_id)
TTL toDateTime(started_at) + INTERVAL 7 DAY
COMMENT 'Internal: runs of the reconciliation; read reconciled';

CREATE TABLE IF NOT EXISTS raw_reconciliation_notes (
    noted_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was noted, by the server''s clock',
    loaded_since Nullable(DateTime64(3, 'UTC')) COMMENT 'An insert took long: look at everything that was loaded since',
    tenant LowCardinality(String) COMMENT 'Of the identifier or profile',
    identifier_type LowCardinality(String) COMMENT 'Compute the profiles of this identifier again; empty for none',
    identifier_value String COMMENT 'Compute the profiles of this identifier again; empty for none',
    profile_id Nullable(UUID) COMMENT 'Compute this profile again; NULL for none',
    event UInt64 COMMENT 'Decide again which copy of this event counts; 0 for none'
)
ENGINE = MergeTree
ORDER BY noted_at
TTL toDateTime(noted_at) + INTERVAL 7 DAY
COMMENT 'Internal: what the next reconciliation has to look at besides what was loaded';

CREATE TABLE IF NOT EXISTS raw_profile_identifiers (
    tenant LowCardinality(String) COMMENT 'Whose customers these are',
    profile_id UUID COMMENT 'The person' CODEC(ZSTD(1)),
    identifier_type LowCardinality(String) COMMENT 'cookie, email, customer_id, …',
    identifier_value String COMMENT 'As it is stored: a pseudonym where the policy says so' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, profile_id, identifier_type, identifier_value)
SETTINGS index_granularity = 1024
COMMENT 'Internal: all identifiers that a profile ever had touchpoints of; read identity_current';

CREATE TABLE IF NOT EXISTS raw_identifier_profiles (
    tenant LowCardinality(String) COMMENT 'Whose customers these are',
    identifier_type LowCardinality(String) COMMENT 'cookie, email, customer_id, …',
    identifier_value String COMMENT 'As it is stored: a pseudonym where the policy says so' CODEC(ZSTD(1)),
    profile_id UUID COMMENT 'The person' CODEC(ZSTD(1))
)
ENGINE = ReplacingMergeTree
ORDER BY (tenant, identifier_type, identifier_value, profile_id)
SETTINGS index_granularity = 1024
COMMENT 'Internal: all profiles that ever had touchpoints of an identifier; read identity_current';

CREATE TABLE IF NOT EXISTS raw_profiles (
    tenant LowCardinality(String) COMMENT 'Whose customers these are',
    profile_id UUID COMMENT 'The person' CODEC(ZSTD(1)),
    version UInt64 COMMENT 'The server''s time before its touchpoints were read: microseconds since 1970',
    is_deleted UInt8 COMMENT '1: it has no touchpoints any more',
    first_seen DateTime64(3, 'UTC') COMMENT 'Event time of the oldest touchpoint' CODEC(Delta(8), ZSTD(1)),
    last_seen DateTime64(3, 'UTC') COMMENT 'Event time of the newest touchpoint' CODEC(Delta(8), ZSTD(1)),
    identifiers Array(Tuple(String, String)) COMMENT 'Type and value of the identifiers that own its touchpoints' CODEC(ZSTD(1)),
    step_at Array(DateTime64(3, 'UTC')) COMMENT 'All touchpoints in the order of time: event time' CODEC(Delta(8), ZSTD(1)),
    step_channel Array(LowCardinality(String)) COMMENT 'The same touchpoints: channel' CODEC(ZSTD(1)),
    step_type Array(LowCardinality(String)) COMMENT 'The same touchpoints: type' CODEC(ZSTD(1)),
    step_source Array(LowCardinality(String)) COMMENT 'The same touchpoints: source' CODEC(ZSTD(1)),
    step_campaign Array(LowCardinality(String)) COMMENT 'The same touchpoints: campaign; empty for none' CODEC(ZSTD(1)),
    step_issue_id Array(String) COMMENT 'The same touchpoints: the case that each is about; empty for none' CODEC(ZSTD(1)),
    session_source Array(LowCardinality(String)) COMMENT 'Sessions in the order of time: source, if it gave a session_id' CODEC(ZSTD(1)),
    session_id Array(String) COMMENT 'The same sessions: the source''s session id; empty for none' CODEC(ZSTD(1)),
    session_started_at Array(DateTime64(3, 'UTC')) COMMENT 'The same sessions: first touchpoint' CODEC(Delta(8), ZSTD(1)),
    session_last_at Array(DateTime64(3, 'UTC')) COMMENT 'The same sessions: last touchpoint' CODEC(Delta(8), ZSTD(1)),
    session_channels Array(Array(LowCardinality(String))) COMMENT 'The same sessions: channels by name' CODEC(ZSTD(1)),
    session_types Array(Array(LowCardinality(String))) COMMENT 'The same sessions: types in the order of time' CODEC(ZSTD(1)),
    session_at Array(Array(DateTime64(3, 'UTC'))) COMMENT 'The same sessions: event times of these types' CODEC(Delta(8), ZSTD(1)),
    switch_from Array(LowCardinality(String)) COMMENT 'Channel switches in the order of time: the channel before' CODEC(ZSTD(1)),
    switch_to Array(LowCardinality(String)) COMMENT 'The same switches: the channel after' CODEC(ZSTD(1)),
    switch_at Array(DateTime64(3, 'UTC')) COMMENT 'The same switches: event time of the touchpoint on the channel after' CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplacingMergeTree(version, is_deleted)
ORDER BY (tenant, profile_id)
SETTINGS index_granularity = 1024
COMMENT 'Internal: a row for each person, computed from touchpoints_current; read profiles, sessions, touchpoint_steps, channel_switch_events';

-- The owners of what was loaded before were decided by 0014.
INSERT INTO raw_reconciliations (run_id, what, started_at, since, until, finished)
SELECT '0014_owners.sql', 'owners', now64(3), toDateTime64(0, 3, 'UTC'), now64(3) - toIntervalMinute(10), 1;

CREATE OR REPLACE VIEW reconciled AS
SELECT
    what, max(r.until) AS until, max(started_at) AS begun_at, dateDiff('millisecond', until, now64(3)) / 1000 AS seconds_ago
FROM raw_reconciliations AS r FINAL
WHERE finished = 1
GROUP BY what
COMMENT 'Until when everything that was loaded is reconciled: owners for touchpoints_current, profiles for profiles, sessions, channel switches and steps; begun_at is when the newest run began. What was loaded later may still show the owner of before\nParameters: none\nExample: SELECT what, seconds_ago FROM reconciled';

CREATE OR REPLACE VIEW profiles AS
SELECT
    tenant, profile_id, identifiers, length(step_at) AS touchpoints, first_seen, last_seen,
    arraySort(arrayDistinct(step_channel)) AS channels
FROM raw_profiles FINAL
COMMENT 'Every person: the identifiers that own their touchpoints, how many, since when, over which channels';

-- What questions about people read: a row for each, so that nothing is grouped or sorted again.
CREATE OR REPLACE VIEW timelines AS
SELECT
    tenant, profile_id, first_seen, last_seen, step_at, step_channel, step_type, step_source, step_campaign, step_issue_id,
    session_source, session_id, session_started_at, session_last_at, session_types, session_at
FROM raw_profiles FINAL
COMMENT 'Every person in one row: touchpoints (step_…) and sessions as arrays in the order of time. Touchpoints of one time are ordered by channel and type. Sessions hold inbound touchpoints only; source and session_id are empty for sessions without a session_id';

CREATE OR REPLACE VIEW touchpoint_steps AS
SELECT
    tenant, profile_id, number, occurred_at, channel, type, previous_channel, previous_type,
    if(number = 1, NULL, dateDiff('millisecond', previous_at, occurred_at) / 1000) AS seconds_since
FROM (
    SELECT
        tenant, profile_id, step_at, step_channel, step_type,
        arrayMap(n -> toUInt64(n), arrayEnumerate(step_at)) AS numbers,
        arrayPopBack(arrayPushFront(step_at, toDateTime64(0, 3, 'UTC'))) AS before_at,
        arrayPopBack(arrayPushFront(step_channel, '')) AS before_channel,
        arrayPopBack(arrayPushFront(step_type, '')) AS before_type
    FROM raw_profiles FINAL
)
ARRAY JOIN
    numbers AS number, step_at AS occurred_at, step_channel AS channel, step_type AS type, before_at AS previous_at,
    before_channel AS previous_channel, before_type AS previous_type
COMMENT 'Every touchpoint of a person in the order of time (number counts from 1), with channel and type of the one before and the seconds since; the first has empty names and NULL';

CREATE OR REPLACE VIEW sessions AS
SELECT
    tenant, profile_id, number, source, own_session_id AS session_id, started_at, last_at,
    length(types) AS touchpoints, channels, types
FROM (
    SELECT
        tenant, profile_id, session_source, session_id, session_started_at, session_last_at, session_channels, session_types,
        arrayMap(n -> toUInt64(n), arrayEnumerate(session_id)) AS numbers
    FROM raw_profiles FINAL
)
ARRAY JOIN
    numbers AS number, session_source AS source, session_id AS own_session_id, session_started_at AS started_at,
    session_last_at AS last_at, session_channels AS channels, session_types AS types
COMMENT 'Visits and conversations, as the journey state counts them; source and session_id are empty for sessions without a session_id; number counts from 1, types are in order of time';

CREATE OR REPLACE VIEW channel_switch_events AS
SELECT tenant, profile_id, from_channel, to_channel, occurred_at
FROM raw_profiles FINAL
ARRAY JOIN switch_from AS from_channel, switch_to AS to_channel, switch_at AS occurred_at
COMMENT 'Every switch of a person from one channel to another, and when, as the journey state counts switches';

CREATE OR REPLACE VIEW profile_channel_switches AS
SELECT tenant, profile_id, from_channel, to_channel, count() AS switches
FROM channel_switch_events
GROUP BY tenant, profile_id, from_channel, to_channel
COMMENT 'From which channel a person went to which, and how often, as the journey state counts switches';

CREATE OR REPLACE VIEW channel_switches AS
SELECT tenant, from_channel, to_channel, count() AS switches, uniqExact(profile_id) AS profiles
FROM channel_switch_events
GROUP BY tenant, from_channel, to_channel
COMMENT 'From which channel people went to which, and how often, as the journey state counts switches';
