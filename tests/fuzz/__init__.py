"""Hostile input for every edge, in process: seeded mutations of what is right, through the real readers."""
