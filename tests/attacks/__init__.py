"""Attacks: what one person, tenant or source does to a deployment, and what a bystander notices of it."""
