"""The brokers that benchmarks run on."""

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

from deploy.sandbox import Broker, KafkaBroker, TansuBroker

BROKERS: Final[dict[str, Callable[[Path], Broker]]] = {
    "sandbox": TansuBroker,
    "kafka": lambda folder: KafkaBroker(folder / "data", folder),
}


class OneOrBoth(StrEnum):
    """What an option may ask for."""

    SANDBOX = "sandbox"
    KAFKA = "kafka"
    BOTH = "both"

    @property
    def names(self) -> list[str]:
        """The brokers asked for."""
        return list(BROKERS) if self is OneOrBoth.BOTH else [self]
