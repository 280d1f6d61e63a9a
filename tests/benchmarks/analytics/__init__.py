"""What analysts wait for, on tables that SQL fills: `python -m tests.benchmarks.analytics --help`."""
