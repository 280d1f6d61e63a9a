"""The composition root: command line, sandbox, sources; the only place that knows streams and sinks."""
