"""The rules of a touchpoint, its JSON form, and which of several copies of an event counts."""
