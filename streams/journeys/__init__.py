"""Journeys: a profile's touchpoints folded into the state and the signals of its journey.

Pure: `rules` and the catalogue say what counts; `fold` advances one journey by one touchpoint, with the help
of `sessions`, `expectations`, `issues`, `decay`, `consent` and `signals`; `state_hash` tells equal states.
"""
