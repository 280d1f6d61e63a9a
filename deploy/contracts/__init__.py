"""What subscribers and sources rely on, as documents: made from the topics and the Avro schemas, never written."""
