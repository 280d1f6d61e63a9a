"""Timelines: the touchpoints of a profile, their owners, what lies beyond the horizon, and the cached fold."""
