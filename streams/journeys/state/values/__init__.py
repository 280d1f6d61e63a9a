"""Values that several parts of the fold share: decayed figures, windows, marks, bounded maps."""
