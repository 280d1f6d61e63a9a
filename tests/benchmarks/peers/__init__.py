"""Touchline beside what a user would pick instead: the same events, the same answers, one machine, one after the other."""
