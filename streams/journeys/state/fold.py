"""The journey fold: accumulates a profile's touchpoints, in order, into its state. Pure; it runs for every event."""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final

from schemas.catalogue import Catalogue
from schemas.records import Identifier, JourneyState, Touchpoint
from schemas.touchpoint.events import event_key
from streams.journeys.rules.meaning import Meaning, meanings_of
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.channels import Channels
from streams.journeys.state.consent import Consent
from streams.journeys.state.counting import Counts
from streams.journeys.state.expectations import MAX_EXPECTATIONS, Expectations
from streams.journeys.state.facts import Facts
from streams.journeys.state.feedback import Scores, Sentiment, verdict
from streams.journeys.state.fold_part import FoldPart
from streams.journeys.state.friction import Friction
from streams.journeys.state.instants import Owned, by_content, issue_rank, strictest
from streams.journeys.state.issues import Issues
from streams.journeys.state.orders import Orders
from streams.journeys.state.owners import Owners
from streams.journeys.state.recent import Recent
from streams.journeys.state.sessions import Session, SessionPool, Sessions
from streams.journeys.state.signals import Signal, SignalBook
from streams.journeys.state.stages import Stages
from streams.journeys.state.state_hash import seal
from streams.journeys.state.values.windows import Effort, Marketing


class Fold:
    """Accumulates one profile's touchpoints: in time order, each event once, touchpoints of one time together.

    Its size is bounded for any input. The state after n touchpoints depends only on these n, and not on how often
    `state` or `signals` was called in between: reading mutates nothing but caches.
    """

    #: Everything that touchpoints change. Parts are written, restored and merged in this order: the book knows the
    #: tenant, which signals are made of, and orders correct the outcomes of merged channels.
    PARTS: Final = (
        "_book", "_facts", "_owners", "_stages", "_channels", "_sessions", "_orders", "_expectations", "_issues",
        "_friction", "_effort", "_scores", "_sentiment", "_consent", "_marketing", "_counts", "_recent",
    )  # fmt: skip
    __slots__ = (*PARTS, "_channel_aliases", "_human", "_meaning", "_rules")

    def __init__(self, catalogue: Catalogue, rules: JourneyRules) -> None:
        meanings = meanings_of(catalogue, rules)
        self._rules = rules
        self._meaning = meanings.of
        self._human = meanings.human_channels
        self._channel_aliases = meanings.channel_aliases
        self._book = book = SignalBook(rules)
        self._facts = Facts()
        self._owners = Owners(book)
        self._stages = Stages(book)
        self._channels = Channels(rules, book)
        self._sessions = Sessions(rules)
        self._orders = Orders(self._channels)
        self._expectations = Expectations(rules)
        self._friction = Friction(rules, book)
        self._effort = Effort(rules)
        self._scores = Scores(rules, book)
        self._sentiment = Sentiment(rules, book)
        self._issues = Issues(rules, book, self._effort, self._channels)
        self._consent = Consent(book)
        self._marketing = Marketing(rules)
        self._counts = Counts(rules, book)
        self._recent = Recent()

    def advance(self, touchpoint: Touchpoint, owner: Identifier) -> None:
        """Fold the next touchpoint, the only one of its time. `owner` is the identifier that owns it. O(1)."""
        at = touchpoint["occurred_at"]
        event = event_key(touchpoint)
        meaning = self._meaning_of(touchpoint)
        session = self._note(touchpoint, owner, meaning, event)
        if meaning.stage is not None:
            self._stages.touch(meaning.stage, at, event)
        for rule in meaning.opens:
            self._expectations.open(rule, session, at, event)
        if meaning.meets:
            self._expectations.meet(meaning.meets, session, at)
        if touchpoint["issue_id"] is not None:
            self._touch_issue(touchpoint["issue_id"], touchpoint, meaning, session)
        if touchpoint["score"] is not None:
            self._scores.add(touchpoint["score"], at, event)
        if touchpoint["sentiment"] is not None:
            self._sentiment.add([(touchpoint["sentiment"], event)], at)
        if touchpoint["consent"]:
            self._consent.decide(touchpoint["consent"], at, event)

    def advance_together(self, instant: Sequence[Owned]) -> None:
        """Fold the next touchpoints, all those of one time, given in any order.

        Openings are folded before solutions, whatever the ids, so that no signal is raised that another order avoids.
        """
        at = instant[0][0]["occurred_at"]
        ordered = by_content(instant, self._channels.last)
        meant = [(touchpoint, self._meaning_of(touchpoint)) for touchpoint, _ in ordered]
        sessions = [
            self._note(touchpoint, owner, meaning, event_key(touchpoint))
            for (touchpoint, owner), (_, meaning) in zip(ordered, meant, strict=True)
        ]
        noted = list(zip(meant, sessions, strict=True))
        for touchpoint, meaning in sorted(meant, key=lambda item: item[1].stage_rank):
            if meaning.stage is not None:
                self._stages.touch(meaning.stage, at, event_key(touchpoint))
        for (touchpoint, meaning), session in noted:
            for rule in meaning.opens:
                self._expectations.open(rule, session, at, event_key(touchpoint))
        for (_, meaning), session in noted:
            if meaning.meets:
                self._expectations.meet(meaning.meets, session, at)
        self._touch_issues(noted)
        answers = [(item["score"], event_key(item)) for item, _ in ordered if item["score"] is not None]
        for score, event in sorted(answers, key=lambda answer: answer[0]["value"]):
            self._scores.add(score, at, event)
        moods = [(touchpoint["sentiment"], event_key(touchpoint)) for touchpoint, _ in ordered]
        self._sentiment.add([(mood, event) for mood, event in moods if mood is not None], at)
        for purpose, (decision, event) in strictest(ordered).items():
            self._consent.decide({purpose: decision}, at, event)

    def _meaning_of(self, touchpoint: Touchpoint) -> Meaning:
        """The meaning of a touchpoint, without its effect if its order is counted already. Counts revenue."""
        meaning = self._meaning(touchpoint["type"])
        if meaning.money and not self._orders.note(touchpoint, meaning, self._channel(touchpoint)):
            return meaning.repeated or meaning
        return meaning

    def _note(
        self, touchpoint: Touchpoint, owner: Identifier, meaning: Meaning, event: str
    ) -> Session | None:
        """Fold the parts of a touchpoint that do not depend on others of its time. Returns its session."""
        at = touchpoint["occurred_at"]
        channel = self._channel(touchpoint)
        name = meaning.name or touchpoint["type"]
        self._owners.note((owner["type"], owner["value"]), at, event, touchpoint["tenant"])
        self._facts.note(touchpoint, meaning, at, event)
        self._recent.add(at, touchpoint["event_id"], channel, name)
        session = None
        if not meaning.internal:
            self._channels.touch(channel, at, event, inbound=meaning.inbound)
            if meaning.inbound:
                session = self._sessions.touch(at, touchpoint["source"], touchpoint["session_id"])
        if meaning.friction:
            self._effort.add(meaning.points, at)
            self._friction.add(meaning.friction, at, event)
        if meaning.bad or meaning.good:
            self._channels.outcome(channel, good=meaning.good)
        if meaning.marketing:
            self._marketing.add((at, event, channel, name, touchpoint["campaign"]))
        for count in meaning.counts:
            self._counts.note(count, at, event)
        return session

    def state(self, tenant: str, profile_id: str, version: int, late: int = 0) -> JourneyState:
        """The journey state as of the newest touchpoint; at least one must have been folded."""
        state, _ = self.sealed(tenant, profile_id, version, late)
        state["recent"] = self._recent.records()
        return state

    def sealed(self, tenant: str, profile_id: str, version: int, late: int = 0) -> tuple[JourneyState, bytes]:
        """The journey state and its encoding. The hash needs the encoding, so both are made at once.

        The returned state has an empty `recent` unless the profile belongs to an account: only accounts read it. The
        encoding always contains `recent`.
        """
        facts, scores = self._facts, self._scores
        as_of = facts.as_of
        sentiment, trend = self._sentiment.value(), self._sentiment.trend()
        latest = self._sessions.latest
        effort, answered = self._effort.value(as_of, scores.latest("CES"))
        touches, first_touch, last_touch = self._marketing.within(as_of)
        issues, orders = self._issues, self._orders
        state: JourneyState = {
            "tenant": tenant,
            "profile_id": profile_id,
            "version": version,
            "state_hash": "",
            "as_of": as_of,
            "identifiers": self._owners.identifiers(),
            "account_id": self.account_id,
            "touchpoints": facts.touchpoints,
            "late": late,
            "first_seen": facts.first_seen,
            "last_seen": as_of,
            "stage": self._stages.stage,
            "stage_since": self._stages.since(facts.first_seen),
            "stages": self._stages.records(),
            "components": dict(sorted(facts.components.items())),
            "sessions": self._sessions.count,
            "session": latest.record() if latest else None,
            "channels": self._channels.records(),
            "last_channel": self._channels.last,
            "preferred_channel": self._channels.preferred(),
            "channel_switches": self._channels.switches,
            "handoffs": issues.handoffs,
            "friction": round(self._friction.value(as_of), 6),
            "effort": effort,
            "effort_answered": answered,
            "ouch_moments": facts.ouch_moments,
            "wow_moments": facts.wow_moments,
            "sentiment": None if sentiment is None else _rounded(sentiment),
            "sentiment_trend": None if trend is None else _rounded(trend),
            "nps": scores.value("NPS"),
            "csat": scores.value("CSAT"),
            "ces": scores.value("CES"),
            "open_issues": issues.open_records(),
            "issues_solved": issues.solved,
            "issues_first_contact": issues.first_contact,
            "first_contact_resolution": (
                round(issues.first_contact / issues.solved, 6) if issues.solved else None
            ),
            "expectations": self._expected(as_of),
            "carts": self._expectations.carts,
            "carts_met": self._expectations.carts_met,
            "consent": self._consent.record(),
            "orders": orders.orders,
            "orders_returned": orders.orders_returned,
            "orders_cancelled": orders.orders_cancelled,
            "revenue": orders.revenue_records(),
            "first_campaign": facts.first_campaign and facts.first_campaign[2],
            "last_campaign": facts.last_campaign and facts.last_campaign[2],
            "marketing_touches": touches,
            "marketing_first": first_touch,
            "marketing_last": last_touch,
            "experiments": {name: marked[2] for name, marked in sorted(facts.experiments.items())},
            "recent": [],  # `complete` inserts its encoded items
            "likely_next": [],  # predictions are made beside the fold
            "issue_risk": None,
            "model_version": None,
        }
        sealed = seal(state, complete=self._recent.into)
        if facts.account is not None:
            state["recent"] = self._recent.records()
        return state, sealed

    @property
    def account_id(self) -> str | None:
        """The account that the newest touchpoint with an account names; None if there is none."""
        account = self._facts.account
        return None if account is None else account[2]

    def signals(self, now: int) -> list[Signal]:
        """Every signal that holds at `now` (UTC ms, event time or clock), sorted by time, kind and id.

        A deadline has passed when `now` or the newest touchpoint is later than it. The caller retracts the signals that
        held before and are no longer in the result.
        """
        now = max(now, self._facts.as_of)
        found = (
            self._book.moments() + self._stages.signals() + self._owners.merged + self._consent.withdrawals()
        )
        if self._scores.detractor is not None:
            found.append(self._scores.detractor)
        found += self._expectations.missed(now, self._book)
        found += self._issues.overdue(now)
        enabled = self._rules.enabled
        return sorted((signal for signal in found if signal.kind in enabled), key=Signal.order)

    def lets_go(self, signal: Signal) -> bool:
        """Whether a signal no longer holds only because the journey has evicted its subject as too old."""
        kind = signal.kind
        if kind in self._rules.moments:
            return self._book.lets_go(signal)
        if kind == "issue_overdue":
            return self._issues.lets_go(signal) or self._book.lets_go(signal)
        return kind in self._rules.missed and self._expectations.lets_go(signal)

    def next_deadline(self, now: int | None = None) -> int | None:
        """The earliest deadline of an expectation or an issue, UTC ms, that has not passed at `now` (UTC ms).

        `now` defaults to the time of the newest touchpoint. Signals may change in the first millisecond
        after the deadline. None if no deadline is left.
        """
        now = self._facts.as_of if now is None else max(now, self._facts.as_of)
        return min(self._expectations.deadlines(now) + self._issues.deadlines(now), default=None)

    @property
    def parts(self) -> tuple[FoldPart, ...]:
        """The parts, in the order of PARTS."""
        return parts_of(self)

    def dump(self) -> dict[str, Any]:
        """The whole fold as FoldSummary.avsc holds it. What `load` makes of it continues exactly as this fold."""
        pool = SessionPool()
        record: dict[str, Any] = {}
        for part in self.parts:
            record.update(part.dump(pool))
        record["session_pool"] = pool.dump()
        return record

    @classmethod
    def load(cls, record: dict[str, Any], tenant: str, catalogue: Catalogue, rules: JourneyRules) -> "Fold":
        """The fold that `dump` wrote. It keeps parts of `record`. Raises ValueError, LookupError or TypeError."""
        fold = cls(catalogue, rules)
        fold._book.tenant = tenant
        pool = SessionPool.load(record["session_pool"])
        for part in fold.parts:
            part.load(record, pool)
        return fold

    def absorb(self, other: "Fold") -> None:
        """Merge the fold of another identifier, whose touchpoints may be before, between and after these.

        Facts are those of a fold over all touchpoints. Fields that depend on the order of touchpoints across the two
        (sessions, channel switches, friction) are added up. Keeps and mutates parts of `other`, which is used up.
        """
        for mine, theirs in zip(self.parts, other.parts, strict=True):
            mine.absorb(theirs)

    def _channel(self, touchpoint: Touchpoint) -> str:
        """The channel by its catalogue name. A touchpoint stored before the alias existed still carries the alias."""
        channel = touchpoint["channel"]
        return self._channel_aliases.get(channel, channel)

    def _touch_issues(self, noted: Iterable[tuple[tuple[Touchpoint, Meaning], Session | None]]) -> None:
        """Fold the issues of the touchpoints of one time: contacts, openings, solutions, then answers."""
        about = [item for item in noted if item[0][0]["issue_id"] is not None]
        solved = {item["issue_id"] for (item, meaning), _ in about if meaning.effect == "issue_solved"}
        about.sort(key=lambda item: (issue_rank(item[0][1].effect), self._is_elsewhere(item[0][0], item[1])))
        for (touchpoint, meaning), session in about:
            issue_id = touchpoint["issue_id"]
            assert issue_id is not None
            self._touch_issue(issue_id, touchpoint, meaning, session, solved_now=issue_id in solved)

    def _is_elsewhere(self, touchpoint: Touchpoint, session: Session | None) -> bool:
        """Whether a contact is in another session or on another channel than the issue's last; others sort first."""
        issue_id = touchpoint["issue_id"]
        return issue_id is None or not self._issues.continues(issue_id, session, self._channel(touchpoint))

    def _touch_issue(
        self, issue_id: str, touchpoint: Touchpoint, meaning: Meaning, session: Session | None,
        *, solved_now: bool = False,
    ) -> None:  # fmt: skip
        at, event, channel = touchpoint["occurred_at"], event_key(touchpoint), self._channel(touchpoint)
        issue = self._issues.touch(issue_id, at, event, meaning.effect)
        if issue is not None and session is not None and not meaning.survey:
            human = channel in self._human
            self._issues.contact(issue, at, event, channel, human, session, solved_now=solved_now)
        if touchpoint["score"] is not None and issue is not None and issue.last_channel:
            good = verdict(touchpoint["score"])
            if good is not None:
                self._channels.outcome(issue.last_channel, good=good)

    def _expected(self, as_of: int) -> list[Any]:
        found = self._expectations.records(as_of) + self._issues.expectations(as_of)
        found.sort(key=_expectation_order)
        return found[-MAX_EXPECTATIONS:]


#: The parts of a fold, in the order of `Fold.PARTS`.
parts_of: Callable[[Fold], tuple[FoldPart, ...]] = attrgetter(*Fold.PARTS)


def _expectation_order(record: Any) -> tuple[Any, ...]:
    return (
        record["opened_at"], record["kind"], record["due_at"], record["issue_id"] or "", record["status"],
        record["event_id"],
    )  # fmt: skip


def _rounded(value: float) -> float:
    return round(value, 6) + 0.0  # no negative zero
