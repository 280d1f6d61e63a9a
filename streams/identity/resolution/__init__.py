"""Who is one person: the definition over a set of links, and its incremental form.

`evidence` is what is known. `clusters` is the one step: unite the two sides of a link, or refuse it. `definition` takes
all links at once, `components` one at a time with the same result; `deciding` and `history` repeat only the decisions
that a late link may change. `clusters` also decides which profile id a merged person keeps; `ownership`, who owns a
touchpoint.
"""
