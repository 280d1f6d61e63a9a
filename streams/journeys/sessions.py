"""Sessions: visits and conversations, found in inbound touchpoints that come in time order."""

from schemas import records
from streams.journeys.rules import JourneyRules


class Session:
    """A visit, or a conversation that its source named."""

    __slots__ = ("cart", "checkout", "last_at", "order", "session_id", "started_at", "touchpoints")

    def __init__(self, session_id: str | None, started_at: int) -> None:
        self.session_id = session_id
        self.started_at = started_at
        self.last_at = started_at
        self.touchpoints = 0
        self.cart = False  #: whether there was a cart, a checkout, an order in it
        self.checkout = False
        self.order = False

    def record(self) -> records.Session:
        """As the journey state publishes it."""
        return {
            "session_id": self.session_id,
            "started_at": self.started_at,
            "last_at": self.last_at,
            "touchpoints": self.touchpoints,
        }


class Sessions:
    """Puts touchpoints into sessions.

    Touchpoints of one (source, session_id) are one session whatever their pauses. The others are one session
    as long as no pause between them exceeds the gap. Either ends at the cap after its start; never at
    midnight, never because a campaign changed.
    """

    __slots__ = ("_cap", "_gap", "_named", "_unnamed", "count", "latest")

    def __init__(self, rules: JourneyRules) -> None:
        self._gap = rules.session_gap_ms
        self._cap = rules.session_cap_ms
        self._unnamed: Session | None = None
        # ordered by start, so that those beyond the cap, which nothing can join any more, are found in front
        self._named: dict[tuple[str, str], Session] = {}
        self.count = 0
        self.latest: Session | None = None  #: the one with the latest activity

    def touch(self, at: int, source: str, session_id: str | None) -> Session:
        """The session of an inbound touchpoint, which is now its latest."""
        if session_id is None:
            session = self._unnamed
            if session is None or at - session.last_at > self._gap or at - session.started_at > self._cap:
                session = self._unnamed = Session(None, at)
                self.count += 1
        else:
            named = self._named.get((source, session_id))
            session = named if named is not None and at - named.started_at <= self._cap else None
            if session is None:
                session = self._begin(at, source, session_id)
        session.last_at = at
        session.touchpoints += 1
        self.latest = session
        return session

    def _begin(self, at: int, source: str, session_id: str) -> Session:
        named = self._named
        while named:
            oldest = next(iter(named))
            if at - named[oldest].started_at <= self._cap:
                break
            del named[oldest]
        session = named[source, session_id] = Session(session_id, at)
        self.count += 1
        return session
