"""STITCH: touchpoints in; evidence for identity and owned touchpoints for journeys out."""
