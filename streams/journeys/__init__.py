"""Journeys: a profile's touchpoints folded into the state and the signals of its journey.

`rules` and the catalogue say what counts. `timeline` keeps a profile's touchpoints, `state` folds them, `signals`
compares what holds with what subscribers know, `prediction` learns from all journeys. `memberships` decides which
account a person belongs to. `partition` holds all this for one partition; `agent` connects it to topics.
"""
