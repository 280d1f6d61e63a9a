"""What views must know of the catalogue and the journey rules in force: ClickHouse reads no TOML."""

from dataclasses import dataclass

from schemas.catalogue import Catalogue
from schemas.settings import ClickHouse
from sinks.clickhouse.connection import connect, translated


@dataclass(frozen=True, slots=True)
class Meanings:
    """What the view `sessions` goes by."""

    directions: dict[str, str]  #: touchpoint type to outbound or internal; all others are inbound
    session_gap_ms: int
    session_cap_ms: int

    @classmethod
    def of(cls, catalogue: Catalogue, *, session_gap_ms: int, session_cap_ms: int) -> "Meanings":
        """Those of a catalogue, and of rules that stand in another package."""
        directions = {name: kind.direction for name, kind in catalogue.types.items()}
        others = {name: direction for name, direction in directions.items() if direction != "inbound"}
        return cls(dict(sorted(others.items())), session_gap_ms, session_cap_ms)


def put_in_force(where: ClickHouse, meanings: Meanings) -> bool:
    """Make views go by these from now on; False if they do already.

    Raises UnavailableError, SinkError, or SettingsError if the server refuses or lacks the table.
    """
    client = connect(where, {"async_insert": 0})
    try:
        with translated(where):
            known = client.execute(
                "SELECT directions, session_gap_ms, session_cap_ms FROM journey_meanings"
                " ORDER BY written_at DESC LIMIT 1"
            )
            row = meanings.directions, meanings.session_gap_ms, meanings.session_cap_ms
            if known and (dict(known[0][0]), *known[0][1:]) == row:
                return False
            client.execute(
                "INSERT INTO journey_meanings (directions, session_gap_ms, session_cap_ms) VALUES", [row]
            )
            return True
    finally:
        client.disconnect()
