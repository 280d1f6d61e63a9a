"""Touchline beside what a user would pick instead: same events, same answers, one machine, one after the other."""
