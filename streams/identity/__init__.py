"""Who is who: evidence in, profiles out; any order of the same events ends in the same profiles.

`policy` prepares identifiers and holds the rules. `resolution` decides which identifiers are one person. `state` keeps
the evidence of a partition, `agent` takes links in, `outputs` tells the others of a decision. `explain` gives the
reasons, `compare` the effect of another policy.
"""
