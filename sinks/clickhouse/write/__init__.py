"""The loader: records from Kafka become rows."""
