"""Questions to ClickHouse."""
