"""OpenTelemetry traces, where they are asked for: a touchpoint is followed from the edge to its row."""
