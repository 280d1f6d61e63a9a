"""The same tables on a cluster: replicated, on one shard. `?cluster=NAME` in the ClickHouse URL chooses it.

The server's `default_replica_path` and `default_replica_name` say where the replicas of a table meet in Keeper. A
cluster begins empty: no release before this one could fill one.
"""

import re
from typing import Any, Final

from schemas.settings import ClickHouse

#: What a statement creates, changes or drops, up to its name.
_NAMED: Final = re.compile(
    r"^(CREATE DATABASE IF NOT EXISTS|CREATE TABLE IF NOT EXISTS|CREATE OR REPLACE (?:TABLE|VIEW|DICTIONARY)"
    r"|ALTER TABLE|DROP VIEW IF EXISTS) (\w+)"
)
_ENGINE: Final = re.compile(r"^ENGINE = (?=(?:Replacing)?MergeTree)", re.MULTILINE)
_FILLED: Final = re.compile(r"\nAS SELECT\b.*", re.DOTALL)
_WINDOW: Final = "non_replicated_deduplication_window"


def on_cluster(where: ClickHouse, statement: str) -> str:
    """A statement of a migration as it must read for the server: unchanged without a cluster."""
    statement = statement.strip()
    if not where.cluster:
        return statement
    named = _NAMED.sub(rf"\1 \2 ON CLUSTER {where.cluster}", statement)
    if named.startswith("CREATE OR REPLACE TABLE"):
        # Every replica would run the SELECT and insert its rows.
        named = _FILLED.sub("", named)
    return _ENGINE.sub("ENGINE = Replicated", named).replace(_WINDOW, "replicated_deduplication_window")


def consistency(where: ClickHouse) -> dict[str, Any]:
    """Settings by which a query sees every insert that was acknowledged, whichever replica answers."""
    if not where.cluster:
        return {}
    return {"insert_quorum": "auto", "insert_quorum_parallel": 0, "select_sequential_consistency": 1}
