"""The documentation site: `assemble` gathers its sources, `reference` makes the pages that the code can make."""
