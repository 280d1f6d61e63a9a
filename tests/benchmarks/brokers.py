"""The brokers that benchmarks run on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final

from deploy.sandbox import Broker, ClickHouseServer, KafkaBroker, TansuBroker

BROKERS: Final[dict[str, Callable[[Path], Broker]]] = {
    "sandbox": TansuBroker,
    "kafka": lambda folder: KafkaBroker(folder / "data", folder),
}


@contextmanager
def broker_and_clickhouse(name: str, folder: Path) -> Iterator[tuple[Broker, ClickHouseServer]]:
    """Start the broker of this name and a ClickHouse, whose files are in a folder. Stops both at the end."""
    clickhouse, broker = ClickHouseServer(folder / "clickhouse", folder), BROKERS[name](folder)
    try:
        clickhouse.start()
        broker.start()
        yield broker, clickhouse
    finally:
        broker.stop()
        clickhouse.stop()


class OneOrBoth(StrEnum):
    """What an option may ask for."""

    SANDBOX = "sandbox"
    KAFKA = "kafka"
    BOTH = "both"

    @property
    def names(self) -> list[str]:
        """The brokers asked for."""
        return list(BROKERS) if self is OneOrBoth.BOTH else [self]
