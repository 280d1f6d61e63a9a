"""Expectations: a cart and a checkout promise an order within their session."""

from collections import deque
from typing import Final

from schemas import records
from streams.journeys.rules import JourneyRules
from streams.journeys.sessions import Session
from streams.journeys.signals import Signal, SignalBook

#: Expectations that one journey remembers, met ones among them; the counts of carts go on beyond.
MAX_EXPECTATIONS: Final = 20


class Expectation:
    """An order expected of a session, since a cart or a checkout."""

    __slots__ = ("_gap", "event_id", "kind", "opened_at", "session")

    def __init__(self, kind: str, opened_at: int, event_id: str, session: Session, gap: int) -> None:
        self.kind = kind
        self.opened_at = opened_at
        self.event_id = event_id
        self.session = session
        self._gap = gap

    def due_at(self) -> int:
        """The end of its session: an order at this very moment would still be part of it."""
        return self.session.last_at + self._gap

    def status(self, now: int) -> records.ExpectationStatus:
        """Whether it is met, or else whether it may still be as of `now`."""
        if self.session.order:
            return "MET"
        return "MISSED" if now > self.due_at() else "OPEN"

    def record(self, as_of: int) -> records.Expectation:
        """As the journey state publishes it."""
        return {
            "kind": self.kind,
            "opened_at": self.opened_at,
            "due_at": self.due_at(),
            "status": self.status(as_of),
            "event_id": self.event_id,
        }


class Expectations:
    """The newest expectations of one journey, and how many carts came to an order."""

    __slots__ = ("_gap", "_newest", "carts", "carts_met")

    def __init__(self, rules: JourneyRules) -> None:
        self._gap = rules.session_gap_ms
        self._newest: deque[Expectation] = deque(maxlen=MAX_EXPECTATIONS)
        self.carts = 0  #: sessions with a cart
        self.carts_met = 0  #: of them, with an order

    def cart(self, session: Session, at: int, event_id: str) -> None:
        """A session has a cart; only its first one counts."""
        if not session.cart:
            session.cart = True
            self.carts += 1
            self.carts_met += session.order
            self._newest.append(Expectation("cart", at, event_id, session, self._gap))

    def checkout(self, session: Session, at: int, event_id: str) -> None:
        """A session has a checkout; only its first one counts."""
        if not session.checkout:
            session.checkout = True
            self._newest.append(Expectation("checkout", at, event_id, session, self._gap))

    def order(self, session: Session) -> None:
        """A session has an order: all that it promised is met."""
        if not session.order:
            session.order = True
            self.carts_met += session.cart

    def records(self, as_of: int) -> list[records.Expectation]:
        """As the journey state publishes them, by (opened_at, kind)."""
        found = [expectation.record(as_of) for expectation in self._newest]
        found.sort(key=lambda record: (record["opened_at"], record["kind"], record["event_id"]))
        return found

    def missed(self, now: int, book: SignalBook) -> list[Signal]:
        """A signal for each one whose deadline has passed by `now` without an order."""
        return [
            book.make(
                f"abandoned_{expectation.kind}",
                expectation.due_at(),
                (expectation.event_id,),
                {"checkout": "started" if expectation.session.checkout else "not started"},
            )
            for expectation in self._newest
            if expectation.status(now) == "MISSED"
        ]

    def deadlines(self, now: int) -> list[int]:
        """When each one that is open at `now` is due."""
        return [expectation.due_at() for expectation in self._newest if expectation.status(now) == "OPEN"]
