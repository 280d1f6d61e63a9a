"""Timelines: the touchpoints of a profile, what lies beyond the horizon, and their compressed cache."""
