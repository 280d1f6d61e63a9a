"""Batched, columnar inserts of the Python peers: what clickhouse-driver's documentation gives as the fastest way."""

from collections.abc import Iterable
from typing import Any

from clickhouse_driver import Client

from tests.benchmarks.peers.contract import STATE_COLUMNS, TOUCHPOINT_COLUMNS, Contract
from tests.benchmarks.peers.core import Json


class Sink:
    """One connection, for one thread at a time."""

    def __init__(self, contract: Contract) -> None:
        host, _, port = contract.clickhouse.rpartition(":")
        self._client = Client(host, port=int(port), settings={"async_insert": 0})
        # as sinks/clickhouse/connection.py does
        self._client.execute(f"USE {contract.database}")
        self._touchpoints = contract.table("touchpoints")
        self._states = contract.table("states")

    def touchpoints(self, rows: Iterable[tuple[str, Json]]) -> None:
        """Insert (profile, touchpoint)s."""
        self._insert(
            self._touchpoints,
            TOUCHPOINT_COLUMNS,
            [
                (
                    profile, touchpoint["event_id"], touchpoint["occurred_at"], touchpoint["channel"],
                    touchpoint["type"], touchpoint["amount_minor"], touchpoint["currency"] or "",
                )
                for profile, touchpoint in rows
            ],
        )  # fmt: skip

    def states(self, rows: Iterable[tuple[str, Json]]) -> None:
        """Insert (profile, state)s."""
        self._insert(
            self._states,
            STATE_COLUMNS,
            [
                (
                    profile, state["touchpoints"], state["touchpoints"], state["first_seen"], state["last_seen"],
                    state["channels"], state["sessions"], state["last_channel"], state["orders"], state["revenue"],
                    state["friction"], state["stage"], [event_id for event_id, *_ in state["recent"]],
                )
                for profile, state in rows
            ],
        )  # fmt: skip

    def columns(self, table: str, columns: dict[str, list[Any]]) -> None:
        """Insert a block column by column."""
        self._client.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) VALUES", list(columns.values()), columnar=True
        )

    def _insert(self, table: str, names: Iterable[str], rows: list[tuple[Any, ...]]) -> None:
        if rows:
            self.columns(
                table, {name: list(c) for name, c in zip(names, zip(*rows, strict=True), strict=True)}
            )
