"""Expectations: which touchpoint should follow a cart, checkout, quote or type of the user's rules, and until when."""

from typing import Any, Final

from schemas import records
from schemas.touchpoint.events import event_id_of
from streams.journeys.rules.custom_rules import ExpectationRule
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.sessions import Session, SessionPool
from streams.journeys.state.signals import Signal, SignalBook

#: Expectations that one journey remembers, including met ones. The counts of carts include older ones.
MAX_EXPECTATIONS: Final = 20
#: The expectation that the state counts: carts, and carts that an order met.
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
        self.session = session  #: its end is the deadline; None: the deadline is a fixed time
        self.any_session = any_session
        self.met_at: int | None = None  #: UTC ms of the first touchpoint that can meet it
        self._due_at = due_at
        self._gap = gap
        self._signal: Signal | None = None

    def due_at(self) -> int:
        """The deadline, UTC ms, inclusive: fixed, or the last time at which a touchpoint extends its session."""
        return self._due_at if self.session is None else self.session.last_at + self._gap

    def status(self, now: int) -> records.ExpectationStatus:
        """MET if it was met in time; otherwise OPEN until the deadline and MISSED after it, as of `now` (UTC ms)."""
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
        """The signal that the expectation was missed. Cached: a journey asks at every publication."""
        due_at, details = self.due_at(), {}
        if self.session is not None:
            details["checkout"] = "started" if CHECKOUT in self.session.opened else "not started"
        known = self._signal
        if known is None or known.occurred_at != due_at or known.details != details:
            known = self._signal = book.make(self.signal, due_at, (self.event,), details)
        return known

    def dump(self, pool: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds it."""
        return {
            "kind": self.kind, "signal": self.signal, "opened_at": self.opened_at, "event_id": self.event,
            "session": pool.number(self.session), "any_session": self.any_session, "due_at": self._due_at,
            "met_at": self.met_at,
        }  # fmt: skip


class Expectations:
    """The newest expectations of one journey, and the number of carts that an order met. Mutated in fold order."""

    __slots__ = ("_gap", "_met_before", "_newest", "carts")

    def __init__(self, rules: JourneyRules) -> None:
        self._gap = rules.session_gap_ms
        self._newest: list[Expectation] = []
        self._met_before = 0  #: met carts that are no longer among the newest
        self.carts = 0  #: expectations of an order after a cart

    def open(self, rule: ExpectationRule, session: Session | None, at: int, event: str) -> None:
        """Open an expectation at `at` (UTC ms). One whose deadline is its session's end opens once in that session."""
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
            if rule.name in session.met:  # some shops log the order of a visit before its cart
                expectation.met_at = at
        self.carts += rule.name == CART
        self._newest.append(expectation)
        self._bound()

    def meet(self, names: frozenset[str], session: Session | None, at: int) -> None:
        """Meet the open expectations of these kinds, at `at` (UTC ms)."""
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
        """The carts that an order met in time."""
        met = sum(item.kind == CART and item.status(0) == "MET" for item in self._newest)
        return self._met_before + met

    def records(self, as_of: int) -> list[records.Expectation]:
        """As the journey state publishes them, oldest first."""
        return [expectation.record(as_of) for expectation in self._newest]

    def missed(self, now: int, book: SignalBook) -> list[Signal]:
        """The signals of the expectations that are missed at `now` (UTC ms)."""
        return [item.missed_signal(book) for item in self._newest if item.status(now) == "MISSED"]

    def lets_go(self, signal: Signal) -> bool:
        """Whether the subject of a signal is an expectation that MAX_EXPECTATIONS newer ones evicted."""
        about = signal.event
        kept = self._newest
        return (
            len(kept) == MAX_EXPECTATIONS
            and signal.occurred_at <= kept[-1].due_at()
            and not any(item.signal == signal.kind and item.event == about for item in kept)
        )

    def deadlines(self, now: int) -> list[int]:
        """The deadlines of the expectations that are open at `now`, all UTC ms."""
        return [expectation.due_at() for expectation in self._newest if expectation.status(now) == "OPEN"]

    def dump(self, pool: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds them."""
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
        """Merge another identifier's expectations into these; the newest of both stay."""
        self.carts += other.carts
        self._met_before += other._met_before
        both = (*self._newest, *other._newest)
        self._newest = sorted(both, key=lambda item: (item.opened_at, item.event, item.kind))
        self._bound()

    def _bound(self) -> None:
        while len(self._newest) > MAX_EXPECTATIONS:
            oldest = self._newest.pop(0)
            self._met_before += oldest.kind == CART and oldest.status(0) == "MET"
