"""Tells other systems' endpoints what happens to people: durable, signed, in order, and only what they may be told."""
