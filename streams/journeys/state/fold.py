"""The journey fold: accumulates a profile's touchpoints, in order, into its state. Pure; it runs for every event."""

from collections.abc import Iterable, Sequence
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
from streams.journeys.state.facts import Facts, last_answer
from streams.journeys.state.instants import Owned, by_content, issue_rank, strictest
from streams.journeys.state.issues import Issues
from streams.journeys.state.orders import Orders
from streams.journeys.state.recent import Recent
from streams.journeys.state.sessions import Session, SessionPool, Sessions
from streams.journeys.state.signals import Signal, SignalBook
from streams.journeys.state.stages import Stages
from streams.journeys.state.state_hash import seal
from streams.journeys.state.values.bounded import MAX_NAMES
from streams.journeys.state.values.decay import DecayedMean, DecayedSum
from streams.journeys.state.values.stamps import Stamp
from streams.journeys.state.values.windows import Effort, Marketing

#: Touchpoints that a `friction_spike` signal names as its causes: the newest ones with friction.
FRICTION_CAUSES: Final = 5
#: The lowest good and the highest bad answer of each survey: CSAT (1-5), CES (1-7), NPS (0-10).
_GOOD_SCORE: Final = {"CSAT": 4, "CES": 5, "NPS": 9}
_BAD_SCORE: Final = {"CSAT": 2, "CES": 3, "NPS": 6}


class Fold:
    """Accumulates one profile's touchpoints: in time order, each event once, touchpoints of one time together.

    Its size is bounded for any input. The state after n touchpoints depends only on these n, and not on how often
    `state` or `signals` was called in between: reading mutates nothing but caches.
    """

    __slots__ = (
        "_book", "_channel_aliases", "_channels", "_consent", "_counts", "_detractor", "_effort", "_expectations",
        "_facts", "_friction", "_friction_causes", "_human", "_issues", "_marketing", "_meaning", "_merged",
        "_orders", "_recent", "_rules", "_sentiment", "_sentiment_now", "_sentiments", "_sessions", "_stages",
    )  # fmt: skip

    def __init__(self, catalogue: Catalogue, rules: JourneyRules) -> None:
        meanings = meanings_of(catalogue, rules)
        self._rules = rules
        self._meaning = meanings.of
        self._human = meanings.human_channels
        self._channel_aliases = meanings.channel_aliases
        self._book = book = SignalBook(rules)
        self._facts = Facts()
        self._orders = Orders()
        self._merged: list[Signal] = []
        self._stages = Stages(book)
        self._sessions = Sessions(rules)
        self._expectations = Expectations(rules)
        self._channels = Channels(rules, book)
        self._friction = DecayedSum(rules.friction_half_life_ms)
        self._friction_causes: tuple[Stamp, ...] = ()
        self._effort = Effort(rules)
        self._sentiment = DecayedMean(rules.sentiment_half_life_ms)
        self._sentiment_now = DecayedMean(rules.trend_half_life_ms)
        self._sentiments = 0
        self._detractor: Signal | None = None
        self._issues = Issues(rules, book, self._effort, self._channels)
        self._consent = Consent(book)
        self._marketing = Marketing(rules)
        self._counts = Counts(book)
        self._recent = Recent()

    def advance(self, touchpoint: Touchpoint, owner: Identifier) -> None:
        """Fold the next touchpoint, the only one of its time. `owner` is the identifier that owns it. O(1)."""
        at = touchpoint["occurred_at"]
        event = event_key(touchpoint)
        meaning = self._meaning_of(touchpoint)
        session = self._note(touchpoint, owner, meaning)
        if meaning.stage is not None:
            self._stages.touch(meaning.stage, at, event)
        for rule in meaning.opens:
            self._expectations.open(rule, session, at, event)
        if meaning.meets:
            self._expectations.meet(meaning.meets, session, at)
        if touchpoint["issue_id"] is not None:
            self._touch_issue(touchpoint["issue_id"], touchpoint, meaning, session)
        if touchpoint["score"] is not None:
            self._add_score(touchpoint, at, event)
        if touchpoint["sentiment"] is not None:
            self._add_sentiments([(touchpoint["sentiment"], event)], at)
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
            self._note(touchpoint, owner, meaning)
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
        answers = [touchpoint for touchpoint, _ in ordered if touchpoint["score"] is not None]
        for touchpoint in sorted(answers, key=lambda item: item["score"]["value"]):  # type: ignore[index]
            self._add_score(touchpoint, at, event_key(touchpoint))
        moods = [(touchpoint["sentiment"], event_key(touchpoint)) for touchpoint, _ in ordered]
        self._add_sentiments([(mood, event) for mood, event in moods if mood is not None], at)
        for purpose, (decision, event) in strictest(ordered).items():
            self._consent.decide({purpose: decision}, at, event)

    def _meaning_of(self, touchpoint: Touchpoint) -> Meaning:
        """The meaning of a touchpoint, without its effect if its order is counted already. Counts revenue."""
        meaning = self._meaning(touchpoint["type"])
        if meaning.money and not self._orders.note(touchpoint, meaning, self._channel(touchpoint)):
            return meaning.repeated or meaning
        return meaning

    def _note(self, touchpoint: Touchpoint, owner: Identifier, meaning: Meaning) -> Session | None:
        """Fold the parts of a touchpoint that do not depend on others of its time. Returns its session."""
        at = touchpoint["occurred_at"]
        event = event_key(touchpoint)
        channel = self._channel(touchpoint)
        name = meaning.name or touchpoint["type"]
        self._own((owner["type"], owner["value"]), at, event, touchpoint["tenant"])
        self._facts.note(touchpoint, meaning, at, event)
        self._recent.add(at, touchpoint["event_id"], channel, name)
        session = None
        if not meaning.internal:
            self._channels.touch(channel, at, event, inbound=meaning.inbound)
            if meaning.inbound:
                session = self._sessions.touch(at, touchpoint["source"], touchpoint["session_id"])
        if meaning.friction:
            self._add_friction(meaning, at, event)
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
        facts = self._facts
        as_of = facts.as_of
        sentiment = self._sentiment.value()
        latest = self._sessions.latest
        effort, answered = self._effort.value(as_of, facts.scores.get("CES"))
        touches, first_touch, last_touch = self._marketing.within(as_of)
        issues, orders = self._issues, self._orders
        state: JourneyState = {
            "tenant": tenant,
            "profile_id": profile_id,
            "version": version,
            "state_hash": "",
            "as_of": as_of,
            "identifiers": facts.identifiers(),
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
            "sentiment_trend": self._trend(sentiment),
            "nps": facts.score("NPS"),
            "csat": facts.score("CSAT"),
            "ces": facts.score("CES"),
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
        found = self._book.moments() + self._stages.signals() + self._merged + self._consent.withdrawals()
        if self._detractor is not None:
            found.append(self._detractor)
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

    def dump(self) -> dict[str, Any]:
        """The whole fold as FoldSummary.avsc holds it. What `load` makes of it continues exactly as this fold."""
        pool = SessionPool()
        record = self._facts.dump() | self._stages.dump() | self._channels.dump() | self._sessions.dump(pool)
        record |= self._orders.dump() | self._expectations.dump(pool) | self._issues.dump(pool)
        return record | {
            "merged": [signal.dump() for signal in self._merged],
            "friction": self._friction.dump(),
            "friction_causes": [
                {"at": at, "event_id": cause, "value": ""} for at, cause in self._friction_causes
            ],
            "effort": self._effort.dump(),
            "sentiment": self._sentiment.dump(),
            "sentiment_now": self._sentiment_now.dump(),
            "sentiments": self._sentiments,
            "detractor": None if self._detractor is None else self._detractor.dump(),
            "consent": self._consent.dump(),
            "marketing": self._marketing.dump(),
            "counts": self._counts.dump(),
            "moments": self._book.dump(),
            "recent": self._recent.records(),
            "session_pool": pool.dump(),
        }

    @classmethod
    def load(cls, record: dict[str, Any], tenant: str, catalogue: Catalogue, rules: JourneyRules) -> "Fold":
        """The fold that `dump` wrote. It keeps parts of `record`. Raises ValueError, LookupError or TypeError."""
        fold = cls(catalogue, rules)
        pool = SessionPool.load(record["session_pool"])
        fold._book.tenant = tenant
        fold._book.load(record["moments"])
        fold._facts.load(record)
        fold._orders.load(record)
        fold._merged = [Signal.load(item) for item in record["merged"]]
        fold._stages.load(record)
        fold._channels.load(record)
        fold._sessions.load(record, pool)
        fold._expectations.load(record, pool)
        fold._issues.load(record, pool)
        fold._friction.load(record["friction"])
        fold._friction_causes = tuple((item["at"], item["event_id"]) for item in record["friction_causes"])
        fold._effort.load(record["effort"])
        fold._sentiment.load(record["sentiment"])
        fold._sentiment_now.load(record["sentiment_now"])
        fold._sentiments = record["sentiments"]
        fold._detractor = None if record["detractor"] is None else Signal.load(record["detractor"])
        fold._consent.load(record["consent"])
        fold._marketing.load(record["marketing"])
        fold._counts.load(record["counts"], rules.counts)
        fold._recent.load(record["recent"])
        return fold

    def absorb(self, other: "Fold") -> None:
        """Merge the fold of another identifier, whose touchpoints may be before, between and after these.

        Facts are those of a fold over all touchpoints. Fields that depend on the order of touchpoints across the two
        (sessions, channel switches, friction) are added up. Keeps and mutates parts of `other`, which is used up.
        """
        self._book.tenant = self._book.tenant or other._book.tenant
        mine, theirs = self._facts.scores.get("NPS"), other._facts.scores.get("NPS")
        if theirs is not None and last_answer(mine, theirs) is theirs:
            self._detractor = other._detractor
        self._facts.absorb(other._facts)
        self._merged = [
            self._merge_signal(stamp, node)
            for node, stamp in sorted(self._facts.owners.items(), key=lambda item: item[1])[1:]
        ]
        self._book.absorb(other._book)
        self._stages.absorb(other._stages)
        self._channels.absorb(other._channels)
        for channel in self._orders.absorb(other._orders):
            self._channels.forget_good(channel)
        self._sessions.absorb(other._sessions)
        self._expectations.absorb(other._expectations)
        self._issues.absorb(other._issues)
        self._friction.absorb(other._friction)
        causes = sorted((*self._friction_causes, *other._friction_causes))
        self._friction_causes = tuple(causes[-FRICTION_CAUSES:])
        self._effort.absorb(other._effort)
        self._sentiment.absorb(other._sentiment)
        self._sentiment_now.absorb(other._sentiment_now)
        self._sentiments += other._sentiments
        self._consent.absorb(other._consent)
        self._marketing.absorb(other._marketing)
        self._counts.absorb(other._counts)
        self._recent.absorb(other._recent)

    def _own(self, node: tuple[str, str], at: int, event: str, tenant: str) -> None:
        owners = self._facts.owners
        if node in owners or len(owners) >= MAX_NAMES:
            return
        self._book.tenant = tenant
        owners[node] = stamp = (at, event)
        if len(owners) > 1:
            self._merged.append(self._merge_signal(stamp, node))

    def _merge_signal(self, stamp: Stamp, node: tuple[str, str]) -> Signal:
        return self._book.make("profile_merged", stamp[0], (stamp[1],), {"identifier_type": node[0]})

    def _channel(self, touchpoint: Touchpoint) -> str:
        """The channel by its catalogue name. A touchpoint stored before the alias existed still carries the alias."""
        channel = touchpoint["channel"]
        return self._channel_aliases.get(channel, channel)

    def _add_friction(self, meaning: Meaning, at: int, event: str) -> None:
        self._effort.add(meaning.points, at)
        before, after = self._friction.add(meaning.friction, at)
        self._friction_causes = (*self._friction_causes[1 - FRICTION_CAUSES :], (at, event))
        if before < self._rules.friction_spike <= after:
            causes = tuple(cause for _, cause in self._friction_causes)
            self._book.remember("friction_spike", at, causes, {"friction": f"{after:.2f}"})

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
            self._rate_channel(touchpoint["score"]["kind"], touchpoint["score"]["value"], issue.last_channel)

    def _add_score(self, touchpoint: Touchpoint, at: int, event: str) -> None:
        score = touchpoint["score"]
        assert score is not None
        value = float(score["value"])
        self._facts.scores[score["kind"]] = (at, event, value)
        if score["kind"] == "NPS":
            self._detractor = None
            if value <= self._rules.detractor_at_most:
                self._detractor = self._book.make("detractor", at, (event,), {"nps": f"{value:g}"})

    def _rate_channel(self, kind: str, value: float, channel: str) -> None:
        """Count an answer about an issue as an outcome on the channel of the issue's last contact."""
        if value >= _GOOD_SCORE[kind]:
            self._channels.outcome(channel, good=True)
        elif value <= _BAD_SCORE[kind]:
            self._channels.outcome(channel, good=False)

    def _add_sentiments(self, moods: Sequence[tuple[float, str]], at: int) -> None:
        """Add the sentiments of one time, each with its event. A drop compares the means before and after all."""
        moods = sorted(moods, key=lambda mood: -mood[0])
        before = after = self._sentiment.value()
        for sentiment, _ in moods:
            self._sentiments += 1
            self._sentiment_now.add(sentiment, at)
            _, after = self._sentiment.add(sentiment, at)
        if before is not None and after is not None and before >= self._rules.sentiment_below > after:
            self._book.remember(
                "sentiment_drop", at, (moods[-1][1],), {"from": f"{before:.2f}", "to": f"{after:.2f}"}
            )

    def _trend(self, sentiment: float | None) -> float | None:
        now = self._sentiment_now.value()
        if sentiment is None or now is None or self._sentiments < 2:
            return None
        return _rounded(now - sentiment)

    def _expected(self, as_of: int) -> list[Any]:
        found = self._expectations.records(as_of) + self._issues.expectations(as_of)
        found.sort(key=_expectation_order)
        return found[-MAX_EXPECTATIONS:]


def _expectation_order(record: Any) -> tuple[Any, ...]:
    return (
        record["opened_at"], record["kind"], record["due_at"], record["issue_id"] or "", record["status"],
        record["event_id"],
    )  # fmt: skip


def _rounded(value: float) -> float:
    return round(value, 6) + 0.0  # no negative zero
