"""Drills: what an operator does in an emergency, played on real processes."""
