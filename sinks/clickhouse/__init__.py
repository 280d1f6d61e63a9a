"""ClickHouse: tables, the loader that writes them, questions, and erasure."""
