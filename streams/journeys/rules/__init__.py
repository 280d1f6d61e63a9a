"""The journey rules: thresholds, expectations and counts, read from journey.toml."""
