"""Repair: replaying dead letters, reading topics again, erasures."""
