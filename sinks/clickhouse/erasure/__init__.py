"""Erasure in ClickHouse."""
