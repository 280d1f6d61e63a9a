"""Decide everything again after a change of the identity policy: what differs, and how it is asked again."""
