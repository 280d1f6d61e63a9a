"""Looks at a file of another system and proposes a mapping for it."""
