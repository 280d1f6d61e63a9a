"""Sessionisation: groups inbound touchpoints, in time order, into visits and conversations."""

from typing import Any, Final

from schemas import records
from streams.journeys.rules.rules import JourneyRules

#: Open sessions with an id. Only bots have more; the oldest are then closed.
MAX_NAMED: Final = 128


class Session:
    """A visit, or a conversation with an id of its source. Times are UTC ms."""

    __slots__ = ("last_at", "met", "opened", "session_id", "started_at", "touchpoints")

    def __init__(self, session_id: str | None, started_at: int) -> None:
        self.session_id = session_id
        self.started_at = started_at
        self.last_at = started_at
        self.touchpoints = 0
        self.opened: frozenset[str] = frozenset()  #: kinds of expectations that its touchpoints opened
        self.met: frozenset[str] = frozenset()  #: kinds of expectations that its touchpoints meet

    def record(self) -> records.Session:
        """As the journey state publishes it."""
        return {
            "session_id": self.session_id,
            "started_at": self.started_at,
            "last_at": self.last_at,
            "touchpoints": self.touchpoints,
        }


class SessionPool:
    """Numbers sessions, so that several parts of a summary can refer to one session."""

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._sessions: list[Session] = []

    def number(self, session: Session | None) -> int | None:
        """The number of a session; None for none."""
        if session is None:
            return None
        if id(session) not in self._numbers:
            self._numbers[id(session)] = len(self._sessions)
            self._sessions.append(session)
        return self._numbers[id(session)]

    def dump(self) -> list[dict[str, Any]]:
        """As FoldSummary.avsc holds them, in the order of their numbers."""
        return [
            {**session.record(), "opened": sorted(session.opened), "met": sorted(session.met)}
            for session in self._sessions
        ]

    @staticmethod
    def load(dumped: list[dict[str, Any]]) -> list[Session]:
        """Back from `dump`."""
        sessions = []
        for record in dumped:
            session = Session(record["session_id"], record["started_at"])
            session.last_at, session.touchpoints = record["last_at"], record["touchpoints"]
            session.opened, session.met = frozenset(record["opened"]), frozenset(record["met"])
            sessions.append(session)
        return sessions


class Sessions:
    """Assigns touchpoints to sessions.

    Touchpoints with one (source, session_id) are one session, however long the pauses. Touchpoints without an id are
    one session as long as no pause exceeds the gap. A session ends at the latest at the cap after its start. Neither
    midnight nor a new campaign ends it.
    """

    __slots__ = ("_cap", "_gap", "_named", "_unnamed", "count", "latest")

    def __init__(self, rules: JourneyRules) -> None:
        self._gap = rules.session_gap_ms
        self._cap = rules.session_cap_ms
        self._unnamed: Session | None = None
        # ordered by start, so that sessions beyond the cap, which are closed, come first
        self._named: dict[tuple[str, str], Session] = {}
        self.count = 0
        self.latest: Session | None = None  #: the session with the latest activity

    def touch(self, at: int, source: str, session_id: str | None) -> Session:
        """Assign an inbound touchpoint at `at` (UTC ms). Returns its session, which it extends or starts."""
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

    def dump(self, pool: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds them."""
        return {
            "sessions": self.count,
            "latest_session": pool.number(self.latest),
            "unnamed_session": pool.number(self._unnamed),
            "named_sessions": [
                {"source": source, "session_id": session_id, "session": pool.number(session)}
                for (source, session_id), session in self._named.items()
            ],
        }

    def load(self, record: dict[str, Any], pool: list[Session]) -> None:
        """Back from `dump`."""
        self.count = record["sessions"]
        latest, unnamed = record["latest_session"], record["unnamed_session"]
        self.latest = None if latest is None else pool[latest]
        self._unnamed = None if unnamed is None else pool[unnamed]
        self._named = {
            (item["source"], item["session_id"]): pool[item["session"]] for item in record["named_sessions"]
        }

    def absorb(self, other: "Sessions") -> None:
        """Merge another identifier's sessions into these; of two open ones without an id the later stays open."""
        self.count += other.count
        self.latest = _later(self.latest, other.latest)
        self._unnamed = _later(self._unnamed, other._unnamed)
        both = other._named | self._named
        newest = sorted(both.items(), key=lambda item: (item[1].started_at, item[0]))[-MAX_NAMED:]
        self._named = dict(newest)

    def _begin(self, at: int, source: str, session_id: str) -> Session:
        named = self._named
        while named:
            oldest = next(iter(named))
            if at - named[oldest].started_at <= self._cap and len(named) < MAX_NAMED:
                break
            del named[oldest]
        # a session that starts again after the cap goes to the end of the order
        named.pop((source, session_id), None)
        session = named[source, session_id] = Session(session_id, at)
        self.count += 1
        return session


def _later(one: Session | None, other: Session | None) -> Session | None:
    if one is None or other is None:
        return one or other
    return one if one.last_at >= other.last_at else other
