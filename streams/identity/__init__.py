"""Who is who: evidence in, profiles out; any order of the same events ends in the same profiles.

Read `evidence` (what is known), `uniting` (one ordered step), `resolution` (the definition) and `components`
(the same result, one event at a time), for which `deciding` and `history` do the work; `policy` prepares
identifiers and holds the rules.
"""
