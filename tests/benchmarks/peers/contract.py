"""What a peer is told and what it writes: environment, topics, tables. The harness makes topics and tables.

A peer is one process with one worker, started with
- PEER_BROKERS            host:port of Kafka
- PEER_PARTITIONS         partitions of every topic
- PEER_CLICKHOUSE         host:port of ClickHouse's native protocol; user `default` without a password
- PEER_CLICKHOUSE_HTTP    host:port of its HTTP interface
- PEER_DATABASE           ClickHouse database
- PEER_PREFIX             of its topics, tables (with _ for -) and consumer groups, like "peer-faust-"
- PEER_CATALOGUE          JSON file: {"types": {type: {"stage": str|null, "friction": number, "order": bool,
                          "internal": bool}}}
- PEER_FOLDER             folder for its state
- PEER_INSERT             0: do everything but the inserts

It reads `peer-touchpoints` (Avro single objects keyed by cookie), sends each touchpoint on to `PREFIXresolved` keyed by
its profile, publishes the profile's state to `PREFIXstates` (JSON or Avro, keyed by profile), and inserts one row per
touchpoint into `PREFIXtouchpoints` and one per published state into `PREFIXstates`.

Fairness: a peer starts on empty topics. First it gets warm-up events, which are not measured (JIT, caches,
connections); once its answers to them are complete the others are published, all at once, and its CPU time from
there on counts.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

INPUT: Final = "peer-touchpoints"

#: Columns of PREFIXtouchpoints and PREFIXstates. Times are UTC milliseconds as the records have them.
TOUCHPOINT_COLUMNS: Final = {
    "profile": "String",
    "event_id": "String",
    "occurred_at": "DateTime64(3, 'UTC')",
    "channel": "LowCardinality(String)",
    "type": "LowCardinality(String)",
    "amount_minor": "Nullable(Int64)",
    "currency": "LowCardinality(String)",  #: '' if there is none
}
STATE_COLUMNS: Final = {
    "profile": "String",
    "version": "UInt64",  #: the number of touchpoints: grows with every publication
    "touchpoints": "UInt32",
    "first_seen": "DateTime64(3, 'UTC')",
    "last_seen": "DateTime64(3, 'UTC')",
    "channels": "Map(String, UInt32)",
    "sessions": "UInt32",
    "last_channel": "LowCardinality(String)",
    "orders": "UInt32",
    "revenue": "Map(String, Int64)",
    "friction": "Float64",
    "stage": "LowCardinality(String)",  #: '' if there is none
    "recent": "Array(String)",  #: event ids, newest last
}


@dataclass(frozen=True)
class Contract:
    """What the environment says."""

    brokers: str
    partitions: int
    clickhouse: str
    database: str
    prefix: str
    catalogue: Path
    folder: Path
    insert: bool

    @classmethod
    def from_env(cls) -> "Contract":
        return cls(
            brokers=os.environ["PEER_BROKERS"], partitions=int(os.environ["PEER_PARTITIONS"]),
            clickhouse=os.environ["PEER_CLICKHOUSE"], database=os.environ["PEER_DATABASE"],
            prefix=os.environ["PEER_PREFIX"], catalogue=Path(os.environ["PEER_CATALOGUE"]),
            folder=Path(os.environ["PEER_FOLDER"]), insert=os.environ.get("PEER_INSERT", "1") != "0",
        )  # fmt: skip

    def topic(self, name: str) -> str:
        """The name of one of the peer's topics: resolved or states."""
        return self.prefix + name

    def table(self, name: str) -> str:
        """The name of one of the peer's tables: touchpoints, states or raw."""
        return self.prefix.replace("-", "_") + name


def tables_of(prefix: str) -> dict[str, str]:
    """Table → its definition, for a peer of that prefix."""
    begin = prefix.replace("-", "_")
    touchpoints, states = _columns(TOUCHPOINT_COLUMNS), _columns(STATE_COLUMNS)
    return {
        f"{begin}touchpoints": f"({touchpoints}) ENGINE = ReplacingMergeTree ORDER BY (occurred_at, event_id)",
        f"{begin}states": f"({states}) ENGINE = ReplacingMergeTree(version) ORDER BY profile",
        f"{begin}raw": "(partition Int32, offset UInt64, key String, value String)"
        " ENGINE = ReplacingMergeTree ORDER BY (partition, offset)",
    }


def _columns(columns: dict[str, str]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in columns.items())
