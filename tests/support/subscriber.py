"""A service that does with `journey-signals` what README.md and docs/journeys.md tell it to, and nothing else."""

from collections.abc import Iterable

from schemas.encoding.codec import decode


class Subscriber:
    """Keeps of each signal_id the record with the highest version, of equal ones the one read later."""

    def __init__(self) -> None:
        self._newest: dict[str, dict] = {}

    def read(self, values: Iterable[bytes]) -> "Subscriber":
        """Take records in the order in which they came; those of different partitions may come in any."""
        for value in values:
            record = decode(value)[1]
            known = self._newest.get(record["signal_id"])
            if known is None or record["version"] >= known["version"]:
                self._newest[record["signal_id"]] = record
        return self

    def holding(self) -> list[dict]:
        """The signals to act on: those that say RAISED."""
        return [record for record in self._newest.values() if record["status"] == "RAISED"]
