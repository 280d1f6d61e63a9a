"""Who is one person: the definition over a set of links, and its incremental form."""
