-- The delivery log of webhooks: a row for each attempt, and for each message that was not tried.
CREATE TABLE IF NOT EXISTS webhook_deliveries (
    tenant LowCardinality(String) COMMENT 'Whose customers these are',
    endpoint LowCardinality(String) COMMENT 'The endpoint, as webhooks.toml names it',
    webhook_id String COMMENT 'Names the message, the same in every attempt',
    attempt Int64 COMMENT 'Counts from 1; a decision without an attempt counts as one',
    outcome LowCardinality(String) COMMENT 'DELIVERED, RETRY, WITHHELD, SUPERSEDED or DEAD',
    reason LowCardinality(String) COMMENT 'Why it is not DELIVERED (docs/webhooks.md)',
    profile_id UUID COMMENT 'The person',
    subject String COMMENT 'The signal_id; of a state change, the name of the field',
    kind LowCardinality(String) COMMENT 'Kind of the signal, or the field with .changed behind it',
    wanted String COMMENT 'RAISED or RETRACTED; of a state change, the new value',
    version UInt64 COMMENT 'Of the signal or the state',
    code Nullable(Int64) COMMENT 'HTTP status or SMTP reply of the receiver',
    answer String COMMENT 'The beginning of what the receiver said, or of the error',
    millis Int64 COMMENT 'How long the attempt took',
    happened_at DateTime64(3, 'UTC') COMMENT 'When Kafka had the signal or the state',
    attempted_at DateTime64(3, 'UTC') COMMENT 'When the attempt began, or the decision fell',
    next_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the next attempt is due',
    source_topic LowCardinality(String) COMMENT 'Where its record is in Kafka',
    source_partition Int32 COMMENT 'Where its record is in Kafka',
    source_offset UInt64 COMMENT 'Where its record is in Kafka',
    loaded_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When this row was written'
)
ENGINE = ReplacingMergeTree(source_offset)
ORDER BY (tenant, endpoint, webhook_id, attempt)
TTL loaded_at + INTERVAL 90 DAY
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'What became of every webhook, attempt by attempt; read with FINAL. Rows go after 90 days';
