"""Tests: unit (no process), integration (real broker and ClickHouse), benchmarks."""
