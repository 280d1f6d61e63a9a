"""Which versions of Python, Kafka and ClickHouse Touchline is tested with: `make versions` tries them all."""
