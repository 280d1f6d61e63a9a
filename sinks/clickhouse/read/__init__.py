"""Queries of commands and screens: single statements, the evidence of identifiers, everything about one person."""
