"""Prometheus's alert rules as code, and what a person does about each: YAML and docs/runbook.md are made of it."""
