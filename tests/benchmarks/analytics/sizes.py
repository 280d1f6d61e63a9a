"""How large the tables are."""

from clickhouse_driver import Client


def show(client: Client) -> None:
    """Print rows, parts and bytes of each table."""
    sizes = client.execute(
        "SELECT table, sum(rows), sum(data_compressed_bytes), sum(data_uncompressed_bytes), count(), sum(bytes_on_disk)"
        " FROM system.parts WHERE database = currentDatabase() AND active AND table NOT LIKE 'catalogue%'"
        " GROUP BY table ORDER BY table"
    )
    for table, rows, compressed, raw, parts, disk in sizes:
        print(
            f"{table:28} {rows:>12,} rows in {parts} parts, {compressed / rows:.1f} bytes a row"
            f" ({raw / rows:.0f} unpacked, {disk / rows:.1f} with indexes)"
        )
