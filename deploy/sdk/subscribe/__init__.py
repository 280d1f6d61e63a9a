"""Subscribers: changes as iterators of a consumer group, and a table of present states. docs/subscribers-kafka.md."""
