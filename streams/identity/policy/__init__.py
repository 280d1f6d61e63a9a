"""The identity policy: which identifiers link, how they are normalised, which values are placeholders."""
