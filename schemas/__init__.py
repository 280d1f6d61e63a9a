"""The contracts: everything that streams and sinks agree on."""
