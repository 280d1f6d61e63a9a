"""Grafana dashboards as code: what they ask, and their JSON in provisioned/, which Grafana reads."""
