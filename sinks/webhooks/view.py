"""What the service knows of people: its local table of present states, and how new that is."""

from sinks.subscribers.table.follower import Follower
from sinks.subscribers.table.store import Applied, Positions, StateTable
from sinks.webhooks.gates import View


class TableView:
    """The table as couriers ask it. One event loop."""

    def __init__(self, table: StateTable, follower: Follower) -> None:
        self._table = table
        self._follower = follower

    def fresh_at(self) -> int:
        """UTC ms: everything that was published until then is in the table; 0 before it has caught up once."""
        return int((self._follower.fresh_at or 0) * 1000)

    def view(self, tenant: str, profile_id: str) -> View:
        """A person's present state. A profile that another one has taken over has none: what it did moves there."""
        moved = self._table.survivor(tenant, profile_id) != profile_id
        return View(None if moved else self._table.state(tenant, profile_id), self.fresh_at())


class NobodyListens:
    """The follower's listener: couriers ask the table when they need it."""

    def applied(self, batch: Applied, positions: Positions) -> None:
        """Nothing."""

    def cleared(self) -> None:
        """Nothing."""
