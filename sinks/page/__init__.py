"""The live page: journeys as they happen, read from ClickHouse's views and told of changes by Kafka's topics."""
