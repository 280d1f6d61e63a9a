"""Bytes to records and back: Avro, schema versions, hostile input."""
