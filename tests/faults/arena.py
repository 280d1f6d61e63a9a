"""Where faults are played: one Kafka, one ClickHouse, and the proxies in front of them."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from shutil import rmtree

from deploy.ports import free_port
from deploy.sandbox import ClickHouseServer
from tests.faults.kafka import TwoDoorKafka
from tests.faults.nursery import Nursery
from tests.faults.proxy import Proxy


class Scale(IntEnum):
    """How much of a fault is played."""

    SHORT = 0  #: once, as briefly as shows it: for every run of the tests
    USUAL = 1
    LONG = 2  #: outages as long as the fault list says, not only long enough


@dataclass
class Arena:
    """One Kafka, one ClickHouse and the proxies in front of them, for all trials of a session."""

    folder: Path
    kafka: TwoDoorKafka
    clickhouse: ClickHouseServer
    kafka_proxy: Proxy
    clickhouse_proxy: Proxy
    nursery: Nursery | None = None  #: forks the processes of brief trials
    keeps: bool = False  #: whether the servers' data stays in the folder at the end

    def calm(self) -> None:
        """Everything runs and forwards."""
        self.kafka_proxy.calm()
        self.clickhouse_proxy.calm()
        for part in (self.kafka, self.clickhouse):
            if part.process is None or not part.process.alive:
                part.start()


@contextmanager
def arena() -> Iterator[Arena]:
    """Start the servers. The logs of trials that went wrong stay in the temporary folder, and data that is kept."""
    folder = Path(tempfile.mkdtemp(prefix="touchline-faults-"))
    found: Arena | None = None
    clickhouse = ClickHouseServer(folder / "clickhouse", folder)
    nursery = Nursery(folder)
    before_clickhouse = Proxy(clickhouse.port, second_target=clickhouse.http_port)
    with Proxy(free_port()) as kafka_proxy, before_clickhouse as clickhouse_proxy:
        kafka = TwoDoorKafka(folder / "kafka", folder, kafka_proxy)
        try:
            kafka.start()
            clickhouse.start()
            found = Arena(folder, kafka, clickhouse, kafka_proxy, clickhouse_proxy, nursery)
            yield found
        finally:
            kafka.stop()
            clickhouse.stop()
            nursery.stop()
            for data in () if found is not None and found.keeps else ("kafka", "clickhouse"):
                rmtree(folder / data, ignore_errors=True)
            if not any(path.is_dir() for path in folder.iterdir()):
                rmtree(folder)


def cwd_is_the_checkout() -> bool:
    """Variants are started as a module: that works from the checkout only."""
    return Path("tests/faults/variants.py").exists() and os.access("tests/faults", os.R_OK)
