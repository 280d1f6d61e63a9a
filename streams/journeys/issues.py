"""Issues: service cases, what they cost the customer, and when they are overdue."""

from typing import Final

from schemas import records
from schemas.catalogue import Effect
from streams.journeys.rules import JourneyRules
from streams.journeys.sessions import Session
from streams.journeys.signals import Signal, SignalBook

#: Issues that one journey remembers, open and solved each; the oldest are let go beyond that.
MAX_ISSUES: Final = 100
#: Contacts that a signal names as its cause.
MAX_CAUSES: Final = 5


class Issue:
    """One case, from its first touchpoint on."""

    __slots__ = (
        "causes", "channels", "contacts", "event_id", "human", "issue_id",
        "last_channel", "last_contact_at", "opened_at", "separate_contacts", "session",
    )  # fmt: skip

    def __init__(self, issue_id: str, at: int, event_id: str) -> None:
        self.issue_id = issue_id
        self.opened_at = at
        self.event_id = event_id
        self.last_contact_at = at
        self.contacts = 0  #: inbound touchpoints
        self.separate_contacts = 0  #: of them, in another session or on another channel than the one before
        self.channels: set[str] = set()
        self.session: Session | None = None
        self.last_channel = ""
        self.human = True  #: whether the last contact was on a human channel
        self.causes: tuple[str, ...] = ()

    def record(self) -> records.OpenIssue:
        """As the journey state publishes it."""
        return {
            "issue_id": self.issue_id,
            "opened_at": self.opened_at,
            "last_contact_at": self.last_contact_at,
            "contacts": self.contacts,
            "channels": sorted(self.channels),
        }


class Issues:
    """The issues of one journey.

    An issue opens with its first touchpoint, unless that answers a survey or solves it; it closes when it is
    solved, and opens again only by a touchpoint that says so.
    """

    __slots__ = ("_book", "_open", "_rules", "_solved", "handoffs", "solved")

    def __init__(self, rules: JourneyRules, book: SignalBook) -> None:
        self._rules = rules
        self._book = book
        self._open: dict[str, Issue] = {}
        self._solved: dict[str, Issue] = {}
        self.solved = 0  #: issues whose last word is that they are solved
        self.handoffs = 0  #: from a digital to a human channel within one issue

    def touch(self, issue_id: str, at: int, event_id: str, effect: Effect | None) -> Issue | None:
        """The open issue that a touchpoint belongs to, if there is one after it."""
        issue = self._open.get(issue_id)
        if effect == "issue_solved":
            self._solve(issue or self._solved.get(issue_id) or Issue(issue_id, at, event_id), at)
            return None
        if issue is not None:
            return issue
        if effect == "survey":
            return None
        solved = self._solved.get(issue_id)
        if solved is None:
            issue = Issue(issue_id, at, event_id)
        elif effect == "issue_opened":
            issue = self._solved.pop(issue_id)
            issue.opened_at, issue.event_id = at, event_id
            self.solved -= 1
        else:
            return None
        _put(self._open, issue)
        return issue

    def contact(
        self, issue: Issue, at: int, event_id: str, channel: str, human: bool, session: Session
    ) -> None:
        """The customer got in touch about an open issue."""
        issue.contacts += 1
        issue.last_contact_at = at
        if human and not issue.human:
            self.handoffs += 1
        issue.human = human
        issue.causes = (*issue.causes[1 - MAX_CAUSES :], event_id)
        details = {"issue_id": issue.issue_id}
        if session is not issue.session or channel != issue.last_channel:
            issue.session, issue.last_channel = session, channel
            issue.separate_contacts += 1
            if issue.separate_contacts == self._rules.repeat_contacts:
                self._book.remember("repeat_contact", at, issue.causes, details)
        if channel not in issue.channels:
            issue.channels.add(channel)
            if len(issue.channels) == self._rules.hopping_channels:
                details = details | {"channels": ", ".join(sorted(issue.channels))}
                self._book.remember("channel_hopping", at, issue.causes, details)

    def open_records(self) -> list[records.OpenIssue]:
        """The open ones as the journey state publishes them, by (opened_at, issue_id)."""
        found = [issue.record() for issue in self._open.values()]
        found.sort(key=lambda record: (record["opened_at"], record["issue_id"]))
        return found

    def overdue(self, now: int) -> list[Signal]:
        """A signal for each open issue that is overdue at `now`; one solved too late is a moment."""
        return [
            self._overdue(issue)
            for issue in self._open.values()
            if now > issue.opened_at + self._rules.issue_overdue_ms
        ]

    def deadlines(self, now: int) -> list[int]:
        """When each open issue is due that is not overdue at `now`."""
        overdue = self._rules.issue_overdue_ms
        return [
            issue.opened_at + overdue for issue in self._open.values() if now <= issue.opened_at + overdue
        ]

    def _solve(self, issue: Issue, at: int) -> None:
        if issue.issue_id in self._solved:
            return
        if at > issue.opened_at + self._rules.issue_overdue_ms:
            self._book.keep(self._overdue(issue))
        self._open.pop(issue.issue_id, None)
        _put(self._solved, issue)
        self.solved += 1

    def _overdue(self, issue: Issue) -> Signal:
        due_at = issue.opened_at + self._rules.issue_overdue_ms
        return self._book.make("issue_overdue", due_at, (issue.event_id,), {"issue_id": issue.issue_id})


def _put(issues: dict[str, Issue], issue: Issue) -> None:
    if len(issues) >= MAX_ISSUES:
        del issues[next(iter(issues))]
    issues[issue.issue_id] = issue
