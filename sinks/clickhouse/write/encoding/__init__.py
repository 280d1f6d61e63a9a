"""Records as ClickHouse takes them: columns declared once, encoded as rows in Python or as SQL over Avro."""
