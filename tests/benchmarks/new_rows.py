"""When a table of ClickHouse has other rows than before, asked so that it costs little of what is being measured."""

import threading
from collections.abc import Iterator

from clickhouse_driver import Client


def new_rows(client: Client, table: str, stop: threading.Event, every: float) -> Iterator[None]:
    """Once whenever there are more or fewer, until `stop`: how many ClickHouse knows without looking at them.

    `every`: seconds from one look to the next.
    """
    known = None
    while not stop.wait(every):
        if known != (known := client.execute(f"SELECT count() FROM {table}")):
            yield
