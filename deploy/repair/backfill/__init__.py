"""Read retained topics again: by moving a stopped group back, or by publishing touchpoints once more."""
