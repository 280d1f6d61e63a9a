"""Issues: service cases, what they cost the customer, and when they are overdue."""

from typing import Any, Final

from schemas import records
from schemas.catalogue import Effect
from schemas.touchpoint.events import event_id_of
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.channels import Channels
from streams.journeys.state.sessions import Session, SessionPool
from streams.journeys.state.signals import MAX_CAUSES, Signal, SignalBook
from streams.journeys.state.values.windows import Effort

#: Issues that one journey remembers, open and solved each; the oldest are let go beyond that.
MAX_ISSUES: Final = 100
#: Channels of one issue that are remembered: with MAX_ISSUES they are most of what a summary can weigh.
MAX_CHANNELS: Final = 12
CASE: Final = "case"

#: Fields of an issue that a summary holds unchanged. Its channels, causes, session and `untold` are converted.
_DUMPED: Final = (
    "contacts", "due_at", "first_contact", "human", "issue_id", "last_channel", "last_contact_at", "opened_at",
    "separate_contacts", "solved_at",
)  # fmt: skip


class Issue:
    """One case, from its first touchpoint on. Times are UTC ms."""

    __slots__ = (
        "_signal", "causes", "channels", "contacts", "due_at", "event", "first_contact", "human", "issue_id",
        "last_channel", "last_contact_at", "opened_at", "separate_contacts", "session", "solved_at", "untold",
    )  # fmt: skip

    def __init__(self, issue_id: str, at: int, event: str, overdue_ms: int) -> None:
        self.issue_id = issue_id
        self.opened_at = at
        self.due_at = at + overdue_ms
        self.event = event
        self.last_contact_at = at
        self.contacts = 0  #: inbound touchpoints
        self.separate_contacts = (
            0  #: contacts in another session or on another channel than the contact before
        )
        self.channels: set[str] = set()
        self.session: Session | None = None
        self.last_channel = ""
        self.human = True  #: whether the last contact was on a human channel
        self.causes: tuple[str, ...] = ()
        self.solved_at: int | None = None
        self.first_contact = False  #: solved, and with at most one separate contact in all
        self.untold: set[str] = (
            set()
        )  #: kinds of signals that were held back, because the issue was solved at the same time
        self._signal: Signal | None = None

    def record(self) -> records.OpenIssue:
        """As the journey state publishes it."""
        return {
            "issue_id": self.issue_id,
            "opened_at": self.opened_at,
            "due_at": self.due_at,
            "last_contact_at": self.last_contact_at,
            "contacts": self.contacts,
            "channels": sorted(self.channels),
        }

    def expectation(self, now: int) -> records.Expectation:
        """The expectation that the issue is solved in time, as the journey state publishes it at `now` (UTC ms)."""
        solved = self.solved_at
        in_time = (now if solved is None else solved) <= self.due_at
        return {
            "kind": CASE,
            "opened_at": self.opened_at,
            "due_at": self.due_at,
            "status": "MISSED" if not in_time else "OPEN" if solved is None else "MET",
            "event_id": event_id_of(self.event),
            "issue_id": self.issue_id,
        }

    def overdue(self, book: SignalBook) -> Signal:
        """The signal that the issue was not solved in time."""
        known = self._signal
        if known is None or known.occurred_at != self.due_at:
            details = {"issue_id": self.issue_id}
            known = self._signal = book.make("issue_overdue", self.due_at, (self.event,), details)
        return known

    def separate(self, session: Session, channel: str) -> bool:
        """Record the session and channel of a contact. Returns whether they differ from those of the contact before."""
        if session is self.session and channel == self.last_channel:
            return False
        self.session, self.last_channel = session, channel
        self.separate_contacts += 1
        return True

    def dump(self, pool: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds it."""
        record = {name: getattr(self, name) for name in _DUMPED}
        return record | {
            "event_id": self.event, "channels": sorted(self.channels), "causes": list(self.causes),
            "session": pool.number(self.session), "untold": sorted(self.untold),
        }  # fmt: skip

    @classmethod
    def load(cls, record: dict[str, Any], pool: list[Session]) -> "Issue":
        """Back from `dump`."""
        issue = cls(record["issue_id"], record["opened_at"], record["event_id"], 0)
        for name in _DUMPED:
            setattr(issue, name, record[name])
        issue.channels, issue.causes = set(record["channels"]), tuple(record["causes"])
        issue.untold = set(record["untold"])
        issue.session = None if record["session"] is None else pool[record["session"]]
        return issue

    def absorb(self, other: "Issue") -> None:
        """Merge another identifier's contacts about the same issue. The caller decides whether the issue is open."""
        self.contacts += other.contacts
        self.separate_contacts += other.separate_contacts
        self.channels |= other.channels
        self.untold |= other.untold
        if (other.opened_at, other.event) < (self.opened_at, self.event):
            self.opened_at, self.due_at, self.event = other.opened_at, other.due_at, other.event


class Issues:
    """The issues of one journey. Its methods mutate it, the effort and the channels, in fold order.

    An issue opens with its first touchpoint, unless that is a survey answer or the solution. A touchpoint with the
    effect `issue_solved` closes it. Only one with the effect `issue_opened` reopens it.
    """

    __slots__ = (
        "_book", "_channels", "_effort", "_open", "_rules", "_solved", "first_contact", "handoffs", "solved",
    )  # fmt: skip

    def __init__(self, rules: JourneyRules, book: SignalBook, effort: Effort, channels: Channels) -> None:
        self._rules = rules
        self._book = book
        self._effort = effort
        self._channels = channels
        self._open: dict[str, Issue] = {}
        self._solved: dict[str, Issue] = {}
        self.solved = 0  #: issues that are solved now
        self.first_contact = 0  #: solved issues with at most one separate contact
        self.handoffs = 0  #: from a digital to a human channel within one issue

    def touch(self, issue_id: str, at: int, event: str, effect: Effect | None) -> Issue | None:
        """Open, solve or reopen the issue of a touchpoint. Returns the issue, open or solved; None for a solution.

        None also for a survey answer about an unknown issue. The fold calls this in the order of event time, however
        late a touchpoint arrived.
        """
        issue = self._open.get(issue_id)
        if effect == "issue_solved":
            self._solve(issue or self._solved.get(issue_id) or self._new(issue_id, at, event), at)
            return None
        if issue is not None:
            return issue
        solved = self._solved.get(issue_id)
        if effect == "survey":
            return solved
        if solved is None:
            issue = self._new(issue_id, at, event)
        elif effect == "issue_opened":
            issue = self._reopen(solved, at, event)
        else:
            return solved
        _put(self._open, issue)
        return issue

    def continues(self, issue_id: str, session: Session | None, channel: str) -> bool:
        """Whether the last contact about an open issue took place in this session, on this channel."""
        issue = self._open.get(issue_id)
        return issue is not None and issue.session is session and issue.last_channel == channel

    def contact(
        self, issue: Issue, at: int, event: str, channel: str, human: bool, session: Session,
        *, solved_now: bool,
    ) -> None:  # fmt: skip
        """Count an inbound contact about an issue, at `at` (UTC ms). `solved_now` holds back its signals."""
        if issue.solved_at is not None:
            if issue.separate(session, channel) and issue.first_contact:
                issue.first_contact = False  # a later contact ends the first-contact resolution
                self.first_contact -= 1
            return
        issue.contacts += 1
        issue.last_contact_at = at
        effort = 0
        if human and not issue.human:
            self.handoffs += 1
            effort += self._rules.effort_handoff
        issue.human = human
        # a signal is about the last of its causes: only of that the source is kept, which keeps summaries small
        issue.causes = (*map(event_id_of, issue.causes[1 - MAX_CAUSES :]), event)
        if issue.separate(session, channel):
            if issue.separate_contacts > 1:
                effort += self._rules.effort_repeat_contact
            if issue.separate_contacts == self._rules.repeat_contacts or "repeat_contact" in issue.untold:
                self._tell("repeat_contact", issue, at, {}, solved_now=solved_now)
        if channel not in issue.channels and len(issue.channels) < MAX_CHANNELS:
            if issue.channels:
                effort += self._rules.effort_channel_switch
            issue.channels.add(channel)
            if len(issue.channels) == self._rules.hopping_channels or "channel_hopping" in issue.untold:
                names = {"channels": ", ".join(sorted(issue.channels))}
                self._tell("channel_hopping", issue, at, names, solved_now=solved_now)
        if effort:
            self._effort.add(effort, at)

    def open_records(self) -> list[records.OpenIssue]:
        """The open ones as the journey state publishes them, by (opened_at, issue_id)."""
        found = [issue.record() for issue in self._open.values()]
        found.sort(key=lambda record: (record["opened_at"], record["issue_id"]))
        return found

    def expectations(self, as_of: int) -> list[records.Expectation]:
        """The expectation of each issue: that it is solved in time."""
        return [
            issue.expectation(as_of) for issues in (self._open, self._solved) for issue in issues.values()
        ]

    def overdue(self, now: int) -> list[Signal]:
        """The signals of the open issues that are overdue at `now` (UTC ms). A late solution is a moment instead."""
        return [issue.overdue(self._book) for issue in self._open.values() if now > issue.due_at]

    def lets_go(self, signal: Signal) -> bool:
        """Whether the subject of a signal is an open issue that MAX_ISSUES newer ones evicted."""
        about = signal.event
        return len(self._open) == MAX_ISSUES and not any(
            issue.event == about for issues in (self._open, self._solved) for issue in issues.values()
        )

    def deadlines(self, now: int) -> list[int]:
        """The deadlines of the open issues that are not overdue at `now`, all UTC ms."""
        return [issue.due_at for issue in self._open.values() if now <= issue.due_at]

    def dump(self, pool: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds them."""
        return {
            "issues": [
                issue.dump(pool) for issues in (self._open, self._solved) for issue in issues.values()
            ],
            "issues_solved": self.solved,
            "issues_first_contact": self.first_contact,
            "handoffs": self.handoffs,
        }

    def load(self, record: dict[str, Any], pool: list[Session]) -> None:
        """Back from `dump`."""
        for item in record["issues"]:
            issue = Issue.load(item, pool)
            (self._open if issue.solved_at is None else self._solved)[issue.issue_id] = issue
        self.solved = record["issues_solved"]
        self.first_contact = record["issues_first_contact"]
        self.handoffs = record["handoffs"]

    def absorb(self, other: "Issues") -> None:
        """Merge another identifier's issues into these.

        If both know an issue, the later of their last changes decides whether it is open. Of equal times, solved wins.
        """
        self.solved += other.solved
        self.first_contact += other.first_contact
        self.handoffs += other.handoffs
        issues = list((self._open | self._solved).values())
        mine = {issue.issue_id: issue for issue in issues}
        for issue in (other._open | other._solved).values():
            known = mine.get(issue.issue_id)
            if known is None:
                mine[issue.issue_id] = issue
                continue
            keep, lose = (known, issue) if _last_word(known) >= _last_word(issue) else (issue, known)
            self.solved -= lose.solved_at is not None
            self.first_contact -= lose.first_contact + keep.first_contact
            keep.first_contact = False
            keep.absorb(lose)
            mine[issue.issue_id] = keep
        self._open, self._solved = {}, {}
        for issue in sorted(mine.values(), key=lambda issue: (_last_word(issue), issue.issue_id)):
            _put(self._open if issue.solved_at is None else self._solved, issue)

    def _tell(self, kind: str, issue: Issue, at: int, details: dict[str, str], *, solved_now: bool) -> None:
        """Raise a moment of an issue. `solved_now` holds it back until a contact after a reopening."""
        if solved_now:
            issue.untold.add(kind)
            return
        issue.untold.discard(kind)
        self._book.remember(kind, at, issue.causes, {"issue_id": issue.issue_id, **details})

    def _new(self, issue_id: str, at: int, event: str) -> Issue:
        return Issue(issue_id, at, event, self._rules.issue_overdue_ms)

    def _reopen(self, issue: Issue, at: int, event: str) -> Issue:
        del self._solved[issue.issue_id]
        self.solved -= 1
        self.first_contact -= issue.first_contact
        issue.first_contact = False
        issue.solved_at = None
        issue.opened_at, issue.event = at, event
        issue.due_at = at + self._rules.issue_overdue_ms
        return issue

    def _solve(self, issue: Issue, at: int) -> None:
        if issue.solved_at is not None:
            return
        if at > issue.due_at:
            self._book.keep(issue.overdue(self._book))
        self._open.pop(issue.issue_id, None)
        issue.solved_at = at
        issue.first_contact = issue.separate_contacts <= 1
        self.first_contact += issue.first_contact
        self.solved += 1
        _put(self._solved, issue)
        if issue.last_channel:
            self._channels.outcome(issue.last_channel, good=True)


def _last_word(issue: Issue) -> tuple[int, bool]:
    if issue.solved_at is None:
        return issue.last_contact_at, False
    return max(issue.solved_at, issue.last_contact_at), True


def _put(issues: dict[str, Issue], issue: Issue) -> None:
    if len(issues) >= MAX_ISSUES:
        del issues[next(iter(issues))]
    issues[issue.issue_id] = issue
