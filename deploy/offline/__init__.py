"""The pure core over files: no Kafka, no ClickHouse, nothing stored."""
