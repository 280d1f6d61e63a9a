"""ClickHouse: `migrations`, the loader (`write`), the queries of commands (`read`), and `erasure`."""
