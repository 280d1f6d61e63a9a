"""The loader: Kafka topics into ClickHouse tables."""
