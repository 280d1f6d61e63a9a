"""Getting events in: files of touchpoints or of other systems' rows, mapped, prepared and published."""
