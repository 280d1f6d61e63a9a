"""The journey fold: a profile's touchpoints, in order, into its state. Pure; it runs for every event."""

from collections import deque
from typing import Final

from schemas.catalogue import Catalogue, TouchpointType
from schemas.records import ChannelUse, Identifier, JourneyState, RecentTouchpoint, Touchpoint
from streams.journeys.bounded import put
from streams.journeys.consent import Consent
from streams.journeys.decay import DecayedMean, DecayedSum
from streams.journeys.expectations import Expectations
from streams.journeys.issues import Issues
from streams.journeys.rules import JourneyRules
from streams.journeys.sessions import Session, Sessions
from streams.journeys.signals import Signal, SignalBook
from streams.journeys.state_hash import state_hash

RECENT: Final = 20  #: touchpoints that the state shows
#: Causes that a friction spike names.
FRICTION_CAUSES: Final = 5
_LONG_MAX: Final = 2**63 - 1


class Fold:
    """Accumulates one profile's touchpoints, given in (occurred_at, event_id) order, each once.

    What it holds is bounded, whatever arrives. The state after n touchpoints depends only on these n: not on
    how often a state was taken in between.
    """

    __slots__ = (
        "_account_id", "_as_of", "_book", "_channel_switches", "_channels", "_components",
        "_consent", "_detractor", "_enabled", "_expectations", "_experiments", "_first_campaign",
        "_first_seen", "_friction", "_friction_causes", "_hopped_at", "_human", "_issues",
        "_last_campaign", "_last_channel", "_orders", "_ouch_moments", "_owners", "_recent",
        "_revenue", "_rules", "_scores", "_sentiment", "_sessions", "_stage", "_stage_signals",
        "_stage_since", "_stages", "_switches", "_touchpoints", "_type", "_wow_moments",
    )  # fmt: skip

    def __init__(self, catalogue: Catalogue, rules: JourneyRules) -> None:
        self._rules = rules
        self._enabled = rules.enabled
        self._type = catalogue.type
        self._human = catalogue.human
        self._book = SignalBook(rules)
        self._touchpoints = 0
        self._as_of = self._first_seen = 0
        self._owners: dict[tuple[str, str], None] = {}
        self._account_id: str | None = None
        self._stage = ""
        self._stage_since = 0
        self._stages: dict[str, int] = {}
        self._stage_signals: list[Signal] = []
        self._components: dict[str, int] = {}
        self._sessions = Sessions(rules)
        self._expectations = Expectations(rules)
        self._channels: dict[str, ChannelUse] = {}
        self._last_channel = ""
        self._channel_switches = 0
        self._switches: deque[tuple[int, str]] = deque(maxlen=rules.hopping_switches)
        self._hopped_at: int | None = None
        self._friction = DecayedSum(rules.friction_half_life_ms)
        self._friction_causes: deque[str] = deque(maxlen=FRICTION_CAUSES)
        self._ouch_moments = self._wow_moments = 0
        self._sentiment = DecayedMean(rules.sentiment_half_life_ms)
        self._scores: dict[str, float] = {}
        self._detractor: Signal | None = None
        self._issues = Issues(rules, self._book)
        self._consent = Consent(self._book)
        self._orders = 0
        self._revenue: dict[str, int] = {}
        self._first_campaign: str | None = None
        self._last_campaign: str | None = None
        self._experiments: dict[str, str] = {}
        self._recent: deque[RecentTouchpoint] = deque(maxlen=RECENT)

    def advance(self, touchpoint: Touchpoint, owner: Identifier) -> None:
        """Take the next touchpoint, which `owner` owns: O(1)."""
        at = touchpoint["occurred_at"]
        event_id = touchpoint["event_id"]
        channel = touchpoint["channel"]
        name = touchpoint["type"]
        kind = self._type(name)
        if not self._touchpoints:
            self._first_seen = self._stage_since = at
            self._book.tenant = touchpoint["tenant"]
        self._touchpoints += 1
        self._as_of = at
        put(self._owners, (owner["type"], owner["value"]), None)
        self._components[kind.component] = at
        self._recent.append({"event_id": event_id, "occurred_at": at, "channel": channel, "type": name})
        if kind.stage is not None and kind.stage != self._stage:
            self._enter(kind.stage, at, event_id)
        session = None
        if kind.direction != "internal":
            use = self._channels.get(channel)
            if use is None:
                put(self._channels, channel, ChannelUse(touchpoints=1, last_at=at))
            else:
                use["touchpoints"] += 1
                use["last_at"] = at
            if kind.direction == "inbound":
                session = self._sessions.touch(at, touchpoint["source"], touchpoint["session_id"])
                if channel != self._last_channel:
                    self._switch(channel, at, event_id)
        if kind.friction:
            self._suffer(kind.friction, at, event_id)
        if kind.moment is not None:
            if kind.moment == "ouch":
                self._ouch_moments += 1
            else:
                self._wow_moments += 1
        if kind.effect is not None:
            self._apply(kind, touchpoint, session)
        issue_id = touchpoint["issue_id"]
        if issue_id is not None:
            issue = self._issues.touch(issue_id, at, event_id, kind.effect)
            if issue is not None and session is not None and kind.effect != "survey":
                self._issues.contact(issue, at, event_id, channel, self._human(channel), session)
        self._note(touchpoint, at, event_id)

    def state(self, tenant: str, profile_id: str, version: int, late: int = 0) -> JourneyState:
        """The journey state as of the newest touchpoint; there must have been one."""
        as_of = self._as_of
        sentiment = self._sentiment.value()
        latest = self._sessions.latest
        state: JourneyState = {
            "tenant": tenant,
            "profile_id": profile_id,
            "version": version,
            "state_hash": "",
            "as_of": as_of,
            "identifiers": [{"type": kind, "value": value} for kind, value in sorted(self._owners)],
            "account_id": self._account_id,
            "touchpoints": self._touchpoints,
            "late": late,
            "first_seen": self._first_seen,
            "last_seen": as_of,
            "stage": self._stage,
            "stage_since": self._stage_since,
            "stages": self._stages.copy(),
            "components": self._components.copy(),
            "sessions": self._sessions.count,
            "session": latest.record() if latest else None,
            "channels": {channel: use.copy() for channel, use in self._channels.items()},
            "last_channel": self._last_channel,
            "channel_switches": self._channel_switches,
            "handoffs": self._issues.handoffs,
            "friction": round(self._friction.value(as_of), 6),
            "ouch_moments": self._ouch_moments,
            "wow_moments": self._wow_moments,
            "sentiment": None if sentiment is None else round(sentiment, 6) + 0.0,  # no negative zero
            "nps": self._scores.get("NPS"),
            "csat": self._scores.get("CSAT"),
            "ces": self._scores.get("CES"),
            "open_issues": self._issues.open_records(),
            "issues_solved": self._issues.solved,
            "expectations": self._expectations.records(as_of),
            "carts": self._expectations.carts,
            "carts_met": self._expectations.carts_met,
            "consent": self._consent.record(),
            "orders": self._orders,
            "revenue": self._revenue.copy(),
            "first_campaign": self._first_campaign,
            "last_campaign": self._last_campaign,
            "experiments": self._experiments.copy(),
            "recent": list(self._recent),
        }
        state["state_hash"] = state_hash(state)
        return state

    def signals(self, now: int) -> list[Signal]:
        """Every signal that holds at `now` (UTC ms, event time or clock), by time, kind and id.

        A deadline has passed when `now`, or the newest touchpoint, is later than it. What held before and is
        not among them any more is retracted.
        """
        now = max(now, self._as_of)
        found = self._book.moments() + self._stage_signals + self._consent.withdrawals()
        if self._detractor is not None:
            found.append(self._detractor)
        found += self._expectations.missed(now, self._book)
        found += self._issues.overdue(now)
        return sorted((signal for signal in found if signal.kind in self._enabled), key=Signal.order)

    def next_deadline(self, now: int | None = None) -> int | None:
        """The earliest deadline that has not passed at `now` (by default, at the newest touchpoint), UTC ms.

        Signals may change at the first millisecond after it: by a cart, a checkout or an issue.
        """
        now = self._as_of if now is None else max(now, self._as_of)
        return min(self._expectations.deadlines(now) + self._issues.deadlines(now), default=None)

    def _enter(self, stage: str, at: int, event_id: str) -> None:
        self._stage = stage
        self._stage_since = at
        if stage not in self._stages:
            self._stages[stage] = at
            self._stage_signals.append(self._book.make("stage_entered", at, (event_id,), {"stage": stage}))

    def _switch(self, channel: str, at: int, event_id: str) -> None:
        if self._last_channel:
            self._channel_switches += 1
            self._switches.append((at, event_id))
            self._notice_hopping(channel, at, event_id)
        self._last_channel = channel

    def _notice_hopping(self, channel: str, at: int, event_id: str) -> None:
        switches = self._switches
        window = self._rules.hopping_window_ms
        if len(switches) < self._rules.hopping_switches or at - switches[0][0] > window:
            return
        if self._hopped_at is None or at - self._hopped_at > window:
            self._hopped_at = at
            causes = tuple(cause for _, cause in switches)
            about = f"{event_id}/switches"
            self._book.keep(self._book.make("channel_hopping", at, causes, {"channel": channel}, about))

    def _suffer(self, friction: float, at: int, event_id: str) -> None:
        before, after = self._friction.add(friction, at)
        self._friction_causes.append(event_id)
        if before < self._rules.friction_spike <= after:
            self._book.remember(
                "friction_spike", at, tuple(self._friction_causes), {"friction": f"{after:.2f}"}
            )

    def _apply(self, kind: TouchpointType, touchpoint: Touchpoint, session: Session | None) -> None:
        effect = kind.effect
        if effect == "order_placed":
            self._orders += 1
            if session is not None:
                self._expectations.order(session)
            self._earn(touchpoint["currency"], touchpoint["amount_minor"])
        elif effect == "refund":
            amount = touchpoint["amount_minor"]
            self._earn(touchpoint["currency"], None if amount is None else -abs(amount))
        elif session is None:
            return
        elif effect == "cart_opened":
            self._expectations.cart(session, touchpoint["occurred_at"], touchpoint["event_id"])
        elif effect == "checkout_started":
            self._expectations.checkout(session, touchpoint["occurred_at"], touchpoint["event_id"])

    def _earn(self, currency: str | None, amount: int | None) -> None:
        if currency is not None and amount is not None:
            total = self._revenue.get(currency, 0) + amount
            # an Avro long holds no more: a source that sends nonsense must not stop the person's journey
            put(self._revenue, currency, max(-_LONG_MAX, min(_LONG_MAX, total)))

    def _note(self, touchpoint: Touchpoint, at: int, event_id: str) -> None:
        if touchpoint["sentiment"] is not None:
            before, after = self._sentiment.add(touchpoint["sentiment"], at)
            if before is not None and before >= self._rules.sentiment_below > after:
                self._book.remember(
                    "sentiment_drop", at, (event_id,), {"from": f"{before:.2f}", "to": f"{after:.2f}"}
                )
        score = touchpoint["score"]
        if score is not None:
            self._scores[score["kind"]] = value = float(score["value"])
            if score["kind"] == "NPS":
                self._detractor = None
                if value <= self._rules.detractor_at_most:
                    self._detractor = self._book.make("detractor", at, (event_id,), {"nps": f"{value:g}"})
        if touchpoint["consent"]:
            self._consent.decide(touchpoint["consent"], at, event_id)
        for experiment, variant in touchpoint["experiments"].items():
            put(self._experiments, experiment, variant)
        if touchpoint["account_id"] is not None:
            self._account_id = touchpoint["account_id"]
        if touchpoint["campaign"] is not None:
            self._last_campaign = touchpoint["campaign"]
            if self._first_campaign is None:
                self._first_campaign = touchpoint["campaign"]
