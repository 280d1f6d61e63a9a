-- Erasures. The loader deletes rows. Kafka may deliver old records again, so the views also hide what `raw_erasures` names.

CREATE TABLE IF NOT EXISTS identity_corrections (
    tenant LowCardinality(String) COMMENT 'Whose customers these are',
    kind LowCardinality(String) COMMENT 'ERASE or UNLINK',
    left_type LowCardinality(String) COMMENT 'Type of the one identifier',
    left_value String COMMENT 'Value of the one identifier, as it is stored',
    right_type LowCardinality(String) COMMENT 'Empty for ERASE',
    right_value String COMMENT 'Value of the other identifier, as it is stored',
    occurred_at DateTime64(3, 'UTC') COMMENT 'The correction removes evidence up to this event time',
    event_id String COMMENT 'The request',
    source LowCardinality(String) COMMENT 'The publishing system',
    source_topic LowCardinality(String) COMMENT 'Where its record is in Kafka',
    source_partition Int32 COMMENT 'Where its record is in Kafka',
    source_offset UInt64 COMMENT 'Where its record is in Kafka',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(source_offset)
ORDER BY (tenant, kind, left_type, left_value, right_type, right_value, occurred_at, event_id, source)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'Erasures and withdrawn links; read with FINAL';

CREATE TABLE IF NOT EXISTS raw_erasures (
    tenant LowCardinality(String) COMMENT 'Whose customers these are',
    identifier_type LowCardinality(String) COMMENT 'cookie, email, customer_id, …',
    identifier_value String COMMENT 'As it is stored: a pseudonym where the policy says so',
    erased_at DateTime64(3, 'UTC') COMMENT 'Its touchpoints up to this event time are erased',
    profile_id UUID COMMENT 'Owner of its later touchpoints, unless there is a newer assignment',
    version UInt64 COMMENT 'Of several rows of one key the highest version holds',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, identifier_type, identifier_value)
COMMENT 'Internal: erased identifiers; views hide their touchpoints';

CREATE TABLE IF NOT EXISTS erasure_receipts (
    tenant LowCardinality(String) COMMENT 'Whose customers these are',
    request_id String COMMENT 'event_id of the request',
    identifier_type LowCardinality(String) COMMENT 'cookie, email, customer_id, …',
    identifier_value String COMMENT 'As it is stored: a pseudonym where the policy says so',
    erased_at DateTime64(3, 'UTC') COMMENT 'Event time up to which the identifier is erased',
    profile_ids Array(UUID) COMMENT 'Profiles that may have held it',
    deleted Map(LowCardinality(String), UInt64) COMMENT 'Table to the rows that were deleted, or cleaned of the identifier',
    done UInt8 COMMENT '0: accepted, to be deleted within seconds; 1: deleted',
    version UInt64 COMMENT 'Of several rows of one key the highest version holds',
    recorded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When it was recorded'
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (tenant, request_id, identifier_type, identifier_value)
COMMENT 'Receipts: each erasure request, and the rows that were deleted for it; read with FINAL';

CREATE OR REPLACE VIEW identity_links_current AS
SELECT l.* EXCEPT (source_topic, source_partition, source_offset, loaded_at)
FROM raw_identity_links AS l FINAL
LEFT JOIN (
    SELECT tenant AS of, left_type AS type, left_value AS value, max(occurred_at) AS until
    FROM identity_corrections WHERE kind = 'ERASE' GROUP BY tenant, left_type, left_value
) AS one ON l.tenant = one.of AND l.left_type = one.type AND l.left_value = one.value
LEFT JOIN (
    SELECT tenant AS of, left_type AS type, left_value AS value, max(occurred_at) AS until
    FROM identity_corrections WHERE kind = 'ERASE' GROUP BY tenant, left_type, left_value
) AS other ON l.tenant = other.of AND l.right_type = other.type AND l.right_value = other.value
LEFT JOIN (
    SELECT tenant AS of, left_type AS type_1, left_value AS value_1, right_type AS type_2, right_value AS value_2,
        max(occurred_at) AS until
    FROM identity_corrections WHERE kind = 'UNLINK'
    GROUP BY tenant, left_type, left_value, right_type, right_value
) AS pair ON l.tenant = pair.of AND l.left_type = pair.type_1 AND l.left_value = pair.value_1
    AND l.right_type = pair.type_2 AND l.right_value = pair.value_2
WHERE (one.type = '' OR l.occurred_at > one.until)
    AND (other.type = '' OR l.occurred_at > other.until)
    AND (pair.type_1 = '' OR l.occurred_at > pair.until)
COMMENT 'Links without those that erasures and withdrawals removed';

-- Which copy of an event counts: defined in schemas/touchpoint/events.py. FINAL chooses among the copies of one owner and
-- one time. Few events have more copies than that; the view compares the copies of these events only.
CREATE OR REPLACE VIEW touchpoints_owned AS
SELECT
    t.* EXCEPT (
        profile_id, assignment_version, version, source_topic, source_partition, source_offset, loaded_at,
        later_profile_id, erasure_version
    ),
    multiIf(
        empty(a.profile_id) AND t.assignment_version < t.erasure_version, t.later_profile_id,
        empty(a.profile_id) OR t.assignment_version > a.version, t.profile_id,
        t.occurred_at >= a.contested_from, ifNull(a.contested_profile_id, a.profile_id),
        a.profile_id
    ) AS profile_id
FROM (
    SELECT
        t.*, t.event AS event, t.copy AS copy,
        e.profile_id AS later_profile_id, if(empty(e.profile_id), -1, toInt64(e.version)) AS erasure_version
    FROM raw_touchpoints AS t FINAL
    LEFT JOIN (
        SELECT tenant, identifier_type, identifier_value, profile_id, erased_at, version FROM raw_erasures FINAL
    ) AS e USING (tenant, identifier_type, identifier_value)
    WHERE empty(e.profile_id) OR t.occurred_at > e.erased_at
) AS t
LEFT JOIN (
    SELECT tenant, identifier_type, identifier_value, profile_id, contested_from, contested_profile_id, version
    FROM raw_identity_assignments FINAL
) AS a USING (tenant, identifier_type, identifier_value)
COMMENT 'Every touchpoint that was not erased, with the profile that owns it now, and all copies of an event';

CREATE OR REPLACE VIEW touchpoint_copies AS
SELECT
    tenant, profile_id, source, event_id, occurred_at, received_at, type, identifiers, amount_minor, currency, copy,
    multiIf(
        received_at > counts.1, 'received later',
        occurred_at > counts.2, 'received in the same millisecond, occurred later',
        'received and occurred in the same millisecond, larger checksum'
    ) AS reason,
    counts.1 AS counted_received_at, counts.2 AS counted_occurred_at, counts.4 AS counted_type,
    counts.5 AS counted_identifiers, counts.6 AS counted_amount_minor, counts.7 AS counted_currency
FROM (
    SELECT
        *,
        row_number() OVER copies AS number,
        first_value((received_at, occurred_at, checksum, type, identifiers, amount_minor, currency)) OVER copies AS counts
    FROM (
        SELECT
            t.tenant AS tenant, t.source AS source, t.event_id AS event_id, t.occurred_at AS occurred_at, t.received_at AS received_at,
            t.type AS type, t.identifiers AS identifiers, t.amount_minor AS amount_minor, t.currency AS currency, t.checksum AS checksum, t.copy AS copy,
            multiIf(
                empty(a.profile_id) AND t.assignment_version < t.erasure_version, t.later_profile_id,
                empty(a.profile_id) OR t.assignment_version > a.version, t.stitched_to,
                t.occurred_at >= a.contested_from, ifNull(a.contested_profile_id, a.profile_id),
                a.profile_id
            ) AS profile_id
        FROM (
            SELECT
                c.*, e.profile_id AS later_profile_id,
                if(empty(e.profile_id), -1, toInt64(e.version)) AS erasure_version
            FROM (
                SELECT
                    tenant, source, event_id, identifier_type, identifier_value, occurred_at, received_at, type,
                    identifiers, amount_minor, currency, checksum, copy, assignment_version, profile_id AS stitched_to
                FROM raw_touchpoints FINAL
                -- filters before FINAL; that changes nothing, because the sorting key determines the event
                PREWHERE event IN (SELECT event FROM raw_touchpoints GROUP BY event HAVING count() > 1)
            ) AS c
            LEFT JOIN (
                SELECT tenant, identifier_type, identifier_value, profile_id, erased_at, version FROM raw_erasures FINAL
            ) AS e USING (tenant, identifier_type, identifier_value)
            WHERE empty(e.profile_id) OR c.occurred_at > e.erased_at
        ) AS t
        LEFT JOIN (
            SELECT tenant, identifier_type, identifier_value, profile_id, contested_from, contested_profile_id, version
            FROM raw_identity_assignments FINAL
            WHERE (tenant, identifier_type, identifier_value) IN (
                SELECT tenant, identifier_type, identifier_value FROM raw_touchpoints
                PREWHERE event IN (SELECT event FROM raw_touchpoints GROUP BY event HAVING count() > 1)
            )
        ) AS a USING (tenant, identifier_type, identifier_value)
    )
    WINDOW copies AS (PARTITION BY tenant, profile_id, source, event_id ORDER BY received_at, occurred_at, checksum)
)
WHERE number > 1
COMMENT 'Copies of events that do not count, because their profile owns a copy that was received earlier; with the reason and the content of the copy that counts';

CREATE OR REPLACE VIEW touchpoints_current AS
SELECT * EXCEPT (checksum, event, copy)
FROM touchpoints_owned
WHERE copy NOT IN (SELECT copy FROM touchpoint_copies)
COMMENT 'Every event that was not erased, once, with its present owner; of several copies the one that was received first';
