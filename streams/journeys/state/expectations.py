"""Expectations: what should follow a cart, a checkout, a quote or what the user's rules say, and until when."""

from typing import Any, Final

from schemas import records
from schemas.touchpoint.events import event_id_of
from streams.journeys.rules.custom_rules import ExpectationRule
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.sessions import Session, SessionPool
from streams.journeys.state.signals import Signal, SignalBook

#: Expectations that one journey remembers, met ones among them; the counts of carts go on beyond.
MAX_EXPECTATIONS: Final = 20
#: The expectation that the state counts: of how many carts came an order.
CART: Final = "cart"
CHECKOUT: Final = "checkout"


class Expectation:
    """One expectation, since the touchpoint that opened it."""

    __slots__ = (
        "_due_at", "_gap", "_signal", "any_session", "event", "kind", "met_at", "opened_at", "session",
        "signal",
    )  # fmt: skip

    def __init__(
        self, kind: str, signal: str, *, opened_at: int, event: str, session: Session | None,
        any_session: bool, due_at: int, gap: int,
    ) -> None:  # fmt: skip
        self.kind = kind
        self.signal = signal  #: kind of signal that is raised when it is missed
        self.opened_at = opened_at
        self.event = event
        self.session = session  #: whose end it is due at; None for one that is due after a time
        self.any_session = any_session
        self.met_at: int | None = None  #: the first touchpoint after it that can meet it
        self._due_at = due_at
        self._gap = gap
        self._signal: Signal | None = None

    def due_at(self) -> int:
        """The last moment at which it can be met; of a session: something at this moment would be part of it."""
        return self._due_at if self.session is None else self.session.last_at + self._gap

    def status(self, now: int) -> records.ExpectationStatus:
        """Whether it is met, or else whether it may still be as of `now`."""
        due_at = self.due_at()
        if self.met_at is not None and self.met_at <= due_at:
            return "MET"
        return "MISSED" if now > due_at else "OPEN"

    def record(self, as_of: int) -> records.Expectation:
        """As the journey state publishes it."""
        return {
            "kind": self.kind,
            "opened_at": self.opened_at,
            "due_at": self.due_at(),
            "status": self.status(as_of),
            "event_id": event_id_of(self.event),
            "issue_id": None,
        }

    def missed_signal(self, book: SignalBook) -> Signal:
        """The signal of one that was missed."""
        due_at, details = self.due_at(), {}
        if self.session is not None:
            details["checkout"] = "started" if CHECKOUT in self.session.opened else "not started"
        known = self._signal
        if known is None or known.occurred_at != due_at or known.details != details:
            known = self._signal = book.make(self.signal, due_at, (self.event,), details)
        return known

    def dump(self, pool: SessionPool) -> dict[str, Any]:
        """As FrozenSummary.avsc holds it."""
        return {
            "kind": self.kind, "signal": self.signal, "opened_at": self.opened_at, "event_id": self.event,
            "session": pool.number(self.session), "any_session": self.any_session, "due_at": self._due_at,
            "met_at": self.met_at,
        }  # fmt: skip


class Expectations:
    """The newest expectations of one journey, and how many carts came to an order."""

    __slots__ = ("_gap", "_met_before", "_newest", "carts")

    def __init__(self, rules: JourneyRules) -> None:
        self._gap = rules.session_gap_ms
        self._newest: list[Expectation] = []
        self._met_before = 0  #: carts that were met and are not among the newest any more
        self.carts = 0  #: expectations of an order after a cart

    def open(self, rule: ExpectationRule, session: Session | None, at: int, event: str) -> None:
        """A touchpoint opens an expectation: one that ends with its session only once in that."""
        due_at = 0
        if rule.within_ms is not None:
            due_at, session = at + rule.within_ms, None
        elif session is None or rule.name in session.opened:
            return
        expectation = Expectation(
            rule.name, rule.signal, opened_at=at, event=event, session=session,
            any_session=rule.any_session, due_at=due_at, gap=self._gap,
        )  # fmt: skip
        if session is not None:
            session.opened |= {rule.name}
            if rule.name in session.met:  # an order before its cart in the same visit: a shop that logs late
                expectation.met_at = at
        self.carts += rule.name == CART
        self._newest.append(expectation)
        self._bound()

    def meet(self, names: frozenset[str], session: Session | None, at: int) -> None:
        """A touchpoint meets what is open under these names."""
        for expectation in self._newest:
            if (
                expectation.met_at is None
                and expectation.kind in names
                and (expectation.any_session or (session is not None and expectation.session is session))
            ):
                expectation.met_at = at
        if session is not None:
            session.met |= names

    @property
    def carts_met(self) -> int:
        """Of the carts, those that came to an order in time."""
        met = sum(item.kind == CART and item.status(0) == "MET" for item in self._newest)
        return self._met_before + met

    def records(self, as_of: int) -> list[records.Expectation]:
        """As the journey state publishes them, oldest first."""
        return [expectation.record(as_of) for expectation in self._newest]

    def missed(self, now: int, book: SignalBook) -> list[Signal]:
        """A signal for each one whose deadline has passed by `now` without being met."""
        return [item.missed_signal(book) for item in self._newest if item.status(now) == "MISSED"]

    def lets_go(self, signal: Signal) -> bool:
        """Whether a signal is about one that there was no more room for."""
        about = signal.event
        kept = self._newest
        return (
            len(kept) == MAX_EXPECTATIONS
            and signal.occurred_at <= kept[-1].due_at()
            and not any(item.signal == signal.kind and item.event == about for item in kept)
        )

    def deadlines(self, now: int) -> list[int]:
        """When each one that is open at `now` is due."""
        return [expectation.due_at() for expectation in self._newest if expectation.status(now) == "OPEN"]

    def dump(self, pool: SessionPool) -> dict[str, Any]:
        """As FrozenSummary.avsc holds them."""
        return {
            "carts": self.carts,
            "carts_met_before": self._met_before,
            "expectations": [expectation.dump(pool) for expectation in self._newest],
        }

    def load(self, record: dict[str, Any], pool: list[Session]) -> None:
        """Back from `dump`."""
        self.carts = record["carts"]
        self._met_before = record["carts_met_before"]
        for item in record["expectations"]:
            expectation = Expectation(
                item["kind"], item["signal"], opened_at=item["opened_at"], event=item["event_id"],
                session=None if item["session"] is None else pool[item["session"]],
                any_session=item["any_session"], due_at=item["due_at"], gap=self._gap,
            )  # fmt: skip
            expectation.met_at = item["met_at"]
            self._newest.append(expectation)

    def absorb(self, other: "Expectations") -> None:
        """Add another identifier's expectations."""
        self.carts += other.carts
        self._met_before += other._met_before
        both = (*self._newest, *other._newest)
        self._newest = sorted(both, key=lambda item: (item.opened_at, item.event, item.kind))
        self._bound()

    def _bound(self) -> None:
        while len(self._newest) > MAX_EXPECTATIONS:
            oldest = self._newest.pop(0)
            self._met_before += oldest.kind == CART and oldest.status(0) == "MET"
