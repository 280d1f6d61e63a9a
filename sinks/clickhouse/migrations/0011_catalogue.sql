-- The catalogue and the journey rules in force. `touchline migrate` and the loader write them
-- (sinks/clickhouse/write/catalogue.py). Views take the meaning of types and channels from here.

CREATE TABLE IF NOT EXISTS catalogue_types (
    name String COMMENT 'As touchpoints carry it',
    alias_of String COMMENT 'If the name is an alias: its type, which touchpoints carry; else empty',
    component LowCardinality(String) COMMENT 'Part of the journey it belongs to',
    stage LowCardinality(String) COMMENT 'Lifecycle stage; empty if the type does not change it',
    direction LowCardinality(String) COMMENT 'inbound, outbound or internal',
    friction Float64 COMMENT 'Weight, 0-10',
    moment LowCardinality(String) COMMENT 'ouch, wow or empty',
    effect LowCardinality(String) COMMENT 'Its effect on carts, orders and cases; empty for none',
    is_deleted UInt8 COMMENT '1: withdrawn',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(loaded_at, is_deleted)
ORDER BY name
COMMENT 'Touchpoint types of the catalogue in force, and their other names; read with FINAL';

CREATE TABLE IF NOT EXISTS catalogue_channels (
    name String COMMENT 'As touchpoints carry it',
    alias_of String COMMENT 'If the name is an alias: its channel; else empty',
    kind LowCardinality(String) COMMENT 'human (an employee answers) or digital',
    is_deleted UInt8 COMMENT '1: withdrawn',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(loaded_at, is_deleted)
ORDER BY name
COMMENT 'Channels of the catalogue in force, and their other names; read with FINAL';

CREATE TABLE IF NOT EXISTS catalogue_purposes (
    name String COMMENT 'As touchpoints carry it',
    is_deleted UInt8 COMMENT '1: withdrawn',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(loaded_at, is_deleted)
ORDER BY name
COMMENT 'Consent purposes of the catalogue in force; read with FINAL';

CREATE TABLE IF NOT EXISTS journey_settings (
    name String COMMENT 'session_gap_ms: longest pause within a session that its source did not name; session_cap_ms: longest time from the start of a session to its last touchpoint',
    value Int64 COMMENT 'In milliseconds',
    is_deleted UInt8 COMMENT '1: withdrawn',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(loaded_at, is_deleted)
ORDER BY name
COMMENT 'Those journey rules in force that views use; read with FINAL';

CREATE OR REPLACE VIEW unknown_names AS
WITH
    known AS (
        SELECT 'type' AS kind, name, if(alias_of = '', name, alias_of) AS means FROM catalogue_types FINAL WHERE is_deleted = 0
        UNION ALL
        SELECT 'channel' AS kind, name, if(alias_of = '', name, alias_of) AS means FROM catalogue_channels FINAL WHERE is_deleted = 0
        UNION ALL
        SELECT 'purpose' AS kind, name, name AS means FROM catalogue_purposes FINAL WHERE is_deleted = 0
    ),
    unknown AS (
        SELECT tenant, kind, name, source, count() AS touchpoints, min(occurred_at) AS first_at, max(occurred_at) AS last_at
        FROM (
            SELECT tenant, 'type' AS kind, toString(type) AS name, source, occurred_at FROM raw_touchpoints FINAL
            UNION ALL
            SELECT tenant, 'channel' AS kind, toString(channel) AS name, source, occurred_at FROM raw_touchpoints FINAL
            UNION ALL
            SELECT tenant, 'purpose' AS kind, toString(arrayJoin(mapKeys(consent))) AS name, source, occurred_at
            FROM raw_touchpoints FINAL WHERE notEmpty(consent)
        )
        WHERE (kind, name) NOT IN (SELECT kind, name FROM known)
        GROUP BY tenant, kind, name, source
    ),
    distances AS (
        SELECT unknown.kind AS kind, unknown.name AS name, known.means AS near,
            damerauLevenshteinDistance(unknown.name, known.name) AS distance
        FROM (SELECT DISTINCT kind, name FROM unknown) AS unknown
        INNER JOIN known ON known.kind = unknown.kind
    ),
    nearest AS (
        SELECT kind, name, argMin(near, (distance, near)) AS nearest, min(distance) AS least
        FROM distances
        WHERE distance <= greatest(1, intDiv(lengthUTF8(name) + 2, 4))
        GROUP BY kind, name
    )
SELECT
    unknown.tenant AS tenant,
    unknown.kind AS kind,
    unknown.name AS name,
    unknown.source AS source,
    unknown.touchpoints AS touchpoints,
    unknown.first_at AS first_at,
    unknown.last_at AS last_at,
    nearest.nearest AS nearest,
    nearest.least AS distance
FROM unknown
LEFT JOIN nearest ON nearest.kind = unknown.kind AND nearest.name = unknown.name
COMMENT 'Types, channels and consent purposes that the catalogue does not name, per source, with the nearest name of the catalogue (empty and distance 0 if none is near)';
