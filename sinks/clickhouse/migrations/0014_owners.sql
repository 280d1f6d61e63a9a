-- Every touchpoint carries its present owner, so no view joins identifiers. The loader reconciles beside loading: it
-- rewrites the rows of identifiers that changed hands, and decides which copies count (sinks/clickhouse/write/reconcile/).

-- In the order of identifiers: one person's rows lie together. Granules of 1,024 rows, so that a rewrite and a look at one
-- person read little. A week becomes one part within a day after its last row, and FINAL costs nothing there. Larger
-- partitions would make FINAL merge more rows beside those that are new. The key ends with the hash of the event, because
-- FINAL reads the whole key. The columns that a loader does not name begin as the row was stitched. Stop the loaders
-- while this statement copies the rows.
CREATE OR REPLACE TABLE raw_touchpoints (
    tenant LowCardinality(String) COMMENT 'Whose customers these are',
    event_id String COMMENT 'Unique per real event of its source' CODEC(ZSTD(1)),
    occurred_at DateTime64(3, 'UTC') COMMENT 'By the source''s clock; times outside 1900-2299 are stored as the nearest of these' CODEC(Delta(8), ZSTD(1)),
    received_at DateTime64(3, 'UTC') COMMENT 'When it reached Touchline, by Touchline''s clock or the source''s if that is earlier' CODEC(Delta(8), ZSTD(1)),
    source LowCardinality(String) COMMENT 'The publishing system',
    channel LowCardinality(String) COMMENT 'By the catalogue: web, app, email, phone, …',
    type LowCardinality(String) COMMENT 'By the catalogue: product_view, order_placed, …',
    identifier_type LowCardinality(String) COMMENT 'Of the strongest usable identifier: the one that owns the touchpoint',
    identifier_value String COMMENT 'As it is stored: a pseudonym where the policy says so' CODEC(ZSTD(1)),
    profile_id UUID COMMENT 'Owner when it was stitched; the present owner is owner_id' CODEC(ZSTD(1)),
    assignment_version Int64 COMMENT 'Version of the assignment it was stitched under; -1 for none' CODEC(ZSTD(1)),
    identifiers Array(Tuple(type String, value String)) COMMENT 'All usable identifiers that it carried' CODEC(ZSTD(1)),
    account_id String COMMENT 'Business account (B2B); empty for none' CODEC(ZSTD(1)),
    session_id String COMMENT 'The source''s own session; empty for none' CODEC(ZSTD(1)),
    issue_id String COMMENT 'The case it is about; empty for none' CODEC(ZSTD(1)),
    order_id String COMMENT 'Several touchpoints of one order count once in a journey' CODEC(ZSTD(1)),
    campaign LowCardinality(String) COMMENT 'Empty for none',
    amount_minor Nullable(Int64) COMMENT 'Minor units of currency' CODEC(ZSTD(1)),
    currency LowCardinality(String) COMMENT 'Of amount_minor, ISO 4217; empty for none',
    sentiment Nullable(Float64) COMMENT '-1 to 1' CODEC(ZSTD(1)),
    score_kind LowCardinality(String) COMMENT 'NPS, CSAT or CES',
    score_value Nullable(Float64) COMMENT 'The customer''s answer on the scale of score_kind' CODEC(ZSTD(1)),
    consent Map(LowCardinality(String), LowCardinality(String)) COMMENT 'Purpose to what was decided',
    experiments Map(LowCardinality(String), String) COMMENT 'Experiment to variant' CODEC(ZSTD(1)),
    link LowCardinality(String) COMMENT 'OBSERVED or ASSERTED: how its identifiers belong together',
    attributes Map(LowCardinality(String), String) COMMENT 'Whatever else the source said' CODEC(ZSTD(1)),
    version UInt256 COMMENT 'Which row of one identifier, time and event stays: received first, then the smallest checksum, then erased, then the newest decision about its owner' CODEC(ZSTD(1)),
    source_topic LowCardinality(String) COMMENT 'Where its record is in Kafka',
    source_partition Int32 COMMENT 'Where its record is in Kafka' CODEC(ZSTD(1)),
    source_offset UInt64 COMMENT 'Where its record is in Kafka' CODEC(Delta(8), ZSTD(1)),
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written, or rewritten for another owner' CODEC(Delta(8), ZSTD(1)),
    owner_id UUID DEFAULT profile_id COMMENT 'The profile that owns it now' CODEC(ZSTD(1)),
    is_erased UInt8 DEFAULT 0 COMMENT '1: erased, and deleted within seconds' CODEC(ZSTD(1)),
    event UInt64 DEFAULT sipHash64(tenant, source, event_id) COMMENT 'The same for all copies of an event' CODEC(NONE),
    copy_id UInt64 DEFAULT sipHash64(bitShiftRight(version, 131), identifier_type, identifier_value) COMMENT 'Of this touchpoint of this identifier, whoever owns it: raw_touchpoint_verdicts names it' CODEC(NONE),
    checksum UInt64 ALIAS toUInt64(9223372036854775807 - bitAnd(bitShiftRight(version, 131), toUInt256(9223372036854775807))) COMMENT 'Of the touchpoint: the last tie-break among the copies of an event',
    INDEX owner_id owner_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX identifier_value identifier_value TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX loaded_at loaded_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYearWeek(occurred_at, 3)
ORDER BY (tenant, identifier_type, identifier_value, occurred_at, event)
SETTINGS non_replicated_deduplication_window = 1000, index_granularity = 1024, min_compress_block_size = 16384,
    min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1
COMMENT 'Internal: rows of touchpoints, superseded ones too; read touchpoints_current'
AS SELECT
    tenant, event_id, occurred_at, received_at, source, channel, type, identifier_type, identifier_value, profile_id,
    assignment_version, identifiers, account_id, session_id, issue_id, order_id, campaign, amount_minor, currency, sentiment,
    score_kind, score_value, consent, experiments, link, attributes,
    bitShiftLeft(toUInt256(10413791999999 - toUnixTimestamp64Milli(received_at)), 194)
        + bitShiftLeft(toUInt256(9223372036854775807 - checksum), 131)
        + bitShiftLeft(toUInt256(greatest(toInt256(assignment_version) + 1, 0)), 65)
        + toUInt256(greatest(toInt256(assignment_version) + 1, 0)) AS version,
    source_topic, source_partition, source_offset, loaded_at, profile_id AS owner_id, 0 AS is_erased,
    sipHash64(tenant, source, event_id) AS event,
    sipHash64(bitShiftRight(version, 131), identifier_type, identifier_value) AS copy_id
FROM raw_touchpoints FINAL
SETTINGS max_partitions_per_insert_block = 0;

-- Who owns the rows that were loaded before: as the loader decides for those that come (owners.py).
INSERT INTO raw_touchpoints (
    tenant, event_id, occurred_at, received_at, source, channel, type, identifier_type, identifier_value, profile_id,
    assignment_version, identifiers, account_id, session_id, issue_id, order_id, campaign, amount_minor, currency, sentiment,
    score_kind, score_value, consent, experiments, link, attributes, version,
    source_topic, source_partition, source_offset, owner_id, is_erased
)
SELECT
    tenant, event_id, occurred_at, received_at, source, channel, type, identifier_type, identifier_value, profile_id,
    assignment_version, identifiers, account_id, session_id, issue_id, order_id, campaign, amount_minor, currency, sentiment,
    score_kind, score_value, consent, experiments, link, attributes, decided_version,
    source_topic, source_partition, source_offset, decided_owner, erased
FROM (
    SELECT
        t.tenant AS tenant, t.event_id AS event_id, t.occurred_at AS occurred_at, t.received_at AS received_at,
        t.source AS source, t.channel AS channel, t.type AS type, t.identifier_type AS identifier_type,
        t.identifier_value AS identifier_value, t.profile_id AS profile_id,
        t.assignment_version AS assignment_version, t.identifiers AS identifiers, t.account_id AS account_id,
        t.session_id AS session_id, t.issue_id AS issue_id, t.order_id AS order_id, t.campaign AS campaign,
        t.amount_minor AS amount_minor, t.currency AS currency, t.sentiment AS sentiment, t.score_kind AS score_kind,
        t.score_value AS score_value, t.consent AS consent, t.experiments AS experiments, t.link AS link,
        t.attributes AS attributes, t.version AS version, t.source_topic AS source_topic,
        t.source_partition AS source_partition, t.source_offset AS source_offset,
        greatest(toInt256(t.assignment_version) + 1, toInt256(0)) AS stitched,
        if(a.found = 1, toInt256(a.version) + 1, toInt256(0)) AS assigned,
        if(e.found = 1, toInt256(e.version) + 1, toInt256(0)) AS erasure,
        e.found = 1 AND t.occurred_at <= e.erased_at AS erased,
        erasure > stitched AND (a.found = 0 OR a.deleted = 1 OR erasure >= assigned) AS after_erasure,
        multiIf(
            after_erasure, e.owner,
            a.found = 0 OR a.deleted = 1 OR stitched > assigned, t.profile_id,
            ifNull(t.occurred_at >= a.contested_from, 0), ifNull(a.contested_owner, a.owner),
            a.owner
        ) AS decided_owner,
        bitShiftLeft(bitShiftRight(t.version, 131), 131)
            + bitShiftLeft(toUInt256(erased), 130)
            + bitShiftLeft(toUInt256(greatest(stitched, assigned, erasure)), 65)
            + bitShiftLeft(toUInt256(after_erasure), 64)
            + toUInt256(stitched) AS decided_version
    FROM (SELECT * FROM raw_touchpoints FINAL) AS t
    LEFT JOIN (
        SELECT tenant, identifier_type, identifier_value, 1 AS found, max(version) AS version,
            argMax(profile_id, assignments.version) AS owner,
            argMax(tuple(contested_from), assignments.version).1 AS contested_from,
            argMax(tuple(contested_profile_id), assignments.version).1 AS contested_owner,
            argMax(is_deleted, assignments.version) AS deleted
        FROM raw_identity_assignments AS assignments
        GROUP BY tenant, identifier_type, identifier_value
    ) AS a USING (tenant, identifier_type, identifier_value)
    LEFT JOIN (
        SELECT tenant, identifier_type, identifier_value, 1 AS found, version, erased_at, profile_id AS owner
        FROM raw_erasures FINAL
    ) AS e USING (tenant, identifier_type, identifier_value)
)
WHERE decided_version > version
SETTINGS max_partitions_per_insert_block = 0, insert_deduplicate = 0;

ALTER TABLE raw_identity_assignments ADD INDEX IF NOT EXISTS loaded_at loaded_at TYPE minmax GRANULARITY 1;

CREATE TABLE IF NOT EXISTS raw_touchpoint_verdicts (
    tenant LowCardinality(String) COMMENT 'Of the touchpoint',
    identifier_type LowCardinality(String) COMMENT 'Of the touchpoint',
    identifier_value String COMMENT 'Of the touchpoint' CODEC(ZSTD(1)),
    occurred_at DateTime64(3, 'UTC') COMMENT 'Of the touchpoint' CODEC(ZSTD(1)),
    source LowCardinality(String) COMMENT 'Of the touchpoint',
    event_id String COMMENT 'Of the touchpoint' CODEC(ZSTD(1)),
    copy_id UInt64 COMMENT 'Of the touchpoint',
    counts UInt8 COMMENT '1: of the copies that its owner has it is the one that counts',
    version UInt64 COMMENT 'When it was decided, by the server''s clock: microseconds since 1970. Who decides later has seen more',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written' CODEC(Delta(8), ZSTD(1)),
    INDEX loaded_at loaded_at TYPE minmax GRANULARITY 1
)
ENGINE = ReplacingMergeTree(version)
ORDER BY copy_id -- every question about touchpoints reads it whole: eight bytes a row and not six columns
COMMENT 'Internal: copies of events, and which of them count; read touchpoint_copies';

INSERT INTO raw_touchpoint_verdicts (
    tenant, identifier_type, identifier_value, occurred_at, source, event_id, copy_id, counts, version
)
SELECT tenant, identifier_type, identifier_value, occurred_at, source, event_id, copy_id, number = 1, 0
FROM (
    SELECT
        tenant, identifier_type, identifier_value, occurred_at, source, event_id, copy_id,
        row_number() OVER (
            PARTITION BY tenant, owner_id, source, event_id, is_erased
            ORDER BY received_at, t.occurred_at, checksum, identifier_type, identifier_value
        ) AS number
    FROM raw_touchpoints AS t FINAL
    WHERE event IN (SELECT event FROM raw_touchpoints GROUP BY event HAVING min(copy_id) != max(copy_id))
);

CREATE OR REPLACE VIEW touchpoints_current AS
SELECT
    tenant, event_id, occurred_at, received_at, source, channel, type, identifier_type, identifier_value, identifiers,
    account_id, session_id, issue_id, order_id, campaign, amount_minor, currency, sentiment, score_kind, score_value,
    consent, experiments, link, attributes, owner_id AS profile_id
FROM raw_touchpoints FINAL
WHERE is_erased = 0 AND copy_id NOT IN (SELECT copy_id FROM raw_touchpoint_verdicts FINAL WHERE counts = 0)
-- ClickHouse moves only conditions on the key before FINAL: they choose the same rows of every version.
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_move_to_prewhere_if_final = 1
COMMENT 'Every event once that was not erased, with the profile that owns it now; of its copies the one received first';

CREATE OR REPLACE VIEW touchpoint_copies AS
SELECT
    tenant, owner_id AS profile_id, source, event_id, occurred_at, received_at, type, identifiers, amount_minor, currency,
    multiIf(
        received_at > counted.1, 'received later',
        occurred_at > counted.2, 'received in the same millisecond, occurred later',
        'received and occurred in the same millisecond, larger checksum'
    ) AS reason,
    counted.1 AS counted_received_at, counted.2 AS counted_occurred_at, counted.3 AS counted_type,
    counted.4 AS counted_identifiers, counted.5 AS counted_amount_minor, counted.6 AS counted_currency
FROM (
    SELECT
        *,
        row_number() OVER copies AS number,
        first_value((received_at, occurred_at, type, identifiers, amount_minor, currency)) OVER copies AS counted
    FROM raw_touchpoints FINAL
    WHERE is_erased = 0 AND (tenant, identifier_type, identifier_value, occurred_at, source, event_id) IN (
        SELECT tenant, identifier_type, identifier_value, occurred_at, source, event_id FROM raw_touchpoint_verdicts
    )
    WINDOW copies AS (
        PARTITION BY tenant, owner_id, source, event_id
        ORDER BY received_at, occurred_at, checksum, identifier_type, identifier_value
    )
)
WHERE number > 1
COMMENT 'The copies of events that do not count: their profile owns another that was received first; why, and what that one says';

DROP VIEW IF EXISTS touchpoints_current_fast;

DROP VIEW IF EXISTS touchpoints_owned;
