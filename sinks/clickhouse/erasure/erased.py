"""What a loader leaves out of what it writes: rows of erased identifiers, which Kafka may deliver again."""

from dataclasses import dataclass, field

from schemas.encoding.codec import identifiers_of
from schemas.errors import ContractError
from sinks.clickhouse.values import Row


@dataclass
class Erased:
    """The erased identifiers that this loader knows. It writes no touchpoint of them up to their erasure."""

    _known: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)  # → erased_at, version
    _settled: set[tuple[str, str, str]] = field(default_factory=set)  #: those with a receipt that is done

    def learn(self, tenant: str, kind: str, value: str, erased_at: int, version: int) -> None:
        """Note an erased identifier."""
        known = self._known.get((tenant, kind, value), (erased_at, version))
        self._known[tenant, kind, value] = max(known[0], erased_at), max(known[1], version)

    def settle(self, tenant: str, kind: str, value: str) -> None:
        """Note that the rows of an erased identifier are deleted."""
        self._settled.add((tenant, kind, value))

    def concerns(self, value: bytes) -> bool:
        """Whether a ResolvedTouchpoint names an erased identifier, or cannot be read."""
        if not self._known:
            return False
        try:
            tenant, identifiers = identifiers_of(value)
        except ContractError:
            return True
        return any((tenant, one["type"], one["value"]) in self._known for one in identifiers)

    def left(self, table: str, rows: list[Row]) -> list[Row]:
        """The rows that may be written: not those of erased identifiers; the others without erased identifiers."""
        if not self._known:
            return rows
        if table == "raw_touchpoints":
            return [
                self._cleaned(row) for row in rows if not self._gone(row, "identifier", row["occurred_at"])
            ]
        if table == "raw_identity_links":
            return [
                row
                for row in rows
                if not self._gone(row, "left", row["occurred_at"])
                and not self._gone(row, "right", row["occurred_at"])
            ]
        if table in ("raw_identity_assignments", "raw_identity_assignment_history"):
            return [row for row in rows if not self._outdated(row)]
        return rows

    def _gone(self, row: Row, end: str, occurred_at: int) -> bool:
        known = self._known.get((row["tenant"], row[f"{end}_type"], row[f"{end}_value"]))
        return known is not None and occurred_at <= known[0]

    def _outdated(self, row: Row) -> bool:
        """Whether an assignment is older than an erasure. A tombstone is needed until what it hides is gone."""
        name = row["tenant"], row["identifier_type"], row["identifier_value"]
        known = self._known.get(name)
        if known is None:
            return False
        if row["is_deleted"]:
            return name in self._settled and row["version"] <= known[1]
        return bool(row["version"] < known[1])

    def _cleaned(self, row: Row) -> Row:
        tenant, at = row["tenant"], row["occurred_at"]
        kept = [pair for pair in row["identifiers"] if at > self._known.get((tenant, *pair), (at - 1, 0))[0]]
        return row if len(kept) == len(row["identifiers"]) else {**row, "identifiers": kept}
