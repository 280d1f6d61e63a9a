"""Orders and their revenue. Several touchpoints of one order count once.

A web shop, a payment service and a warehouse may each report one order, with its `order_id`. The first touchpoint in
fold order places it; the first that states an amount gives its value. Returns and cancellations count once each per
order. Refunds count one by one, since an order may have several. Both firsts are functions of the set of touchpoints,
so summaries of single identifiers add up to the same result.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

from schemas.records import Touchpoint
from schemas.touchpoint.events import event_key
from streams.journeys.rules.meaning import Meaning
from streams.journeys.state.channels import Channels
from streams.journeys.state.sessions import Session, SessionPool
from streams.journeys.state.values.bounded import put
from streams.journeys.state.values.stamps import Marked, Stamp, dump_marked, first_of, load_marked

_LONG_MAX: Final = 2**63 - 1
#: Orders, returns and cancellations with an id that one journey remembers. Older ones are evicted: a further touchpoint
#: of an evicted order counts as a new order.
MAX_ORDERS: Final = 100
#: Effect → the count that it adds to.
_COUNTS: Final = {
    "order_placed": "orders", "order_returned": "orders_returned", "order_cancelled": "orders_cancelled",
}  # fmt: skip
_TOTAL: Final = re.compile(r"-?[0-9]{1,30}")
_PAID: Final = re.compile(r"-?[0-9]{1,20} [A-Z]{3}")


def sound(summary: dict[str, Any]) -> bool:
    """Whether a summary's orders can be loaded. Avro has checked the types; this checks the contents of the texts."""
    return all(_TOTAL.fullmatch(total) for total in summary["revenue"].values()) and all(
        item["count"] in _COUNTS.values() and (item["paid"] is None or _PAID.fullmatch(item["paid"]["value"]))
        for item in summary["known_orders"]
    )


@dataclass(slots=True)
class _Known:
    """An order that was counted, or its return or cancellation."""

    first: Stamp  #: of the touchpoint that counts
    channel: str  #: the channel on which it counted as a good outcome; empty if it did not
    paid: (
        Marked | None
    )  #: from the first touchpoint that states it: "amount currency", as added to the revenue


class Orders:
    """The orders of one journey."""

    __slots__ = ("_channels", "_known", "orders", "orders_cancelled", "orders_returned", "revenue")

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self.orders = self.orders_returned = self.orders_cancelled = 0
        self.revenue: dict[str, int] = {}  #: currency → minor units, exact and unbounded
        self._known: dict[tuple[str, str], _Known] = {}  #: by effect and order id, oldest first

    def note(self, touchpoint: Touchpoint, meaning: Meaning, channel: str) -> bool:
        """Count the next touchpoint with an effect on orders or revenue.

        Returns False if its order is counted already: it then has the meaning of its type without the effect.
        """
        count, order_id = _COUNTS.get(meaning.effect or ""), touchpoint["order_id"]
        amount, currency = touchpoint["amount_minor"], touchpoint["currency"]
        paid = None
        if amount is not None and currency is not None:
            paid = f"{amount if count == 'orders' else -abs(amount)} {currency}"
        if count is None or order_id is None:
            if count is not None:
                self._count(count, 1)
            self._pay(paid)
            return True
        at, event = touchpoint["occurred_at"], event_key(touchpoint)
        key = count, order_id
        known = self._known.get(key)
        marked = None if paid is None else (at, event, paid)
        if known is not None:
            if known.paid is None:
                known.paid = marked
                self._pay(paid)
            return False
        self._count(count, 1)
        self._pay(paid)
        good = count == "orders" and meaning.moment != "wow"
        self._known[key] = _Known((at, event), channel if good else "", marked)
        if len(self._known) > MAX_ORDERS:
            del self._known[next(iter(self._known))]
        return True

    def revenue_records(self) -> dict[str, int]:
        """Revenue as the journey state publishes it: minor units per currency, clamped to the range of an Avro long."""
        return {name: max(-_LONG_MAX, min(_LONG_MAX, total)) for name, total in sorted(self.revenue.items())}

    def dump(self, _: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds them."""
        record: dict[str, Any] = {name: getattr(self, name) for name in _COUNTS.values()}
        return record | {
            "revenue": {name: str(total) for name, total in self.revenue.items()},
            "known_orders": [
                {
                    "count": count, "order_id": order_id, "first": dump_marked((*known.first, known.channel)),
                    "paid": dump_marked(known.paid),
                }
                for (count, order_id), known in self._known.items()
            ],
        }  # fmt: skip

    def load(self, record: dict[str, Any], _: list[Session]) -> None:
        """Back from `dump`, if it is `sound`."""
        for name in _COUNTS.values():
            setattr(self, name, record[name])
        self.revenue = {name: int(total) for name, total in record["revenue"].items()}
        for item in record["known_orders"]:
            first, key = item["first"], (item["count"], item["order_id"])
            stamp = first["at"], first["event_id"]
            self._known[key] = _Known(stamp, first["value"], load_marked(item["paid"]))

    def absorb(self, other: "Orders") -> None:
        """Merge the orders of another identifier's touchpoints into these.

        Mutates the channels, which must be merged already: an order that both know was a good outcome twice.
        """
        for name in _COUNTS.values():
            self._count(name, getattr(other, name))
        for currency, total in other.revenue.items():
            put(self.revenue, currency, self.revenue.get(currency, 0) + total)
        for key, theirs in other._known.items():
            mine = self._known.get(key)
            if mine is None:
                self._known[key] = theirs
                continue
            self._count(key[0], -1)
            first, again = (mine, theirs) if mine.first <= theirs.first else (theirs, mine)
            if again.channel:
                self._channels.forget_good(again.channel)
            paid = first_of(mine.paid, theirs.paid)
            if mine.paid is not None and theirs.paid is not None:
                self._pay((theirs if paid is mine.paid else mine).paid[2], -1)  # type: ignore[index]
            self._known[key] = _Known(first.first, first.channel, paid)
        newest = sorted(self._known.items(), key=lambda item: (item[1].first, item[0]))[-MAX_ORDERS:]
        self._known = dict(newest)

    def _count(self, name: str, more: int) -> None:
        setattr(self, name, getattr(self, name) + more)

    def _pay(self, paid: str | None, times: int = 1) -> None:
        if paid is not None:
            amount, currency = paid.split()
            put(self.revenue, currency, self.revenue.get(currency, 0) + times * int(amount))
