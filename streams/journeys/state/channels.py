"""Channels: the use of each channel, the outcomes on it, and the switches between channels."""

from typing import Any, Final

from schemas.records import ChannelUse
from streams.journeys.rules.rules import JourneyRules
from streams.journeys.state.sessions import Session, SessionPool
from streams.journeys.state.signals import MAX_CAUSES, SignalBook
from streams.journeys.state.values.bounded import put
from streams.journeys.state.values.stamps import Marked, Stamp, dump_marked, last_of, load_marked

_NEVER: Final = -(2**63)


class Channels:
    """The channels of one journey. Its methods mutate it; times are UTC ms, and calls come in time order."""

    __slots__ = ("_book", "_hopped_at", "_last", "_rules", "_switched", "_uses", "switches")

    def __init__(self, rules: JourneyRules, book: SignalBook) -> None:
        self._rules = rules
        self._book = book
        self._uses: dict[str, ChannelUse] = {}
        self._last: Marked | None = None  #: of the newest inbound touchpoint
        self.switches = 0
        self._switched: list[Stamp] = []  #: the newest switches, at most as many as the rule counts
        self._hopped_at: int | None = None

    @property
    def last(self) -> str:
        """The channel of the newest inbound touchpoint; empty if none."""
        return self._last[2] if self._last else ""

    def touch(self, channel: str, at: int, event: str, *, inbound: bool) -> None:
        """Count a contact on a channel, inbound or outbound. An inbound one may raise `channel_hopping`."""
        use = self._uses.get(channel)
        if use is None:
            use = self._use(channel)
        use["touchpoints"] += 1
        use["last_at"] = at
        if inbound:
            use["inbound"] += 1
            last = self._last
            self._last = (at, event, channel)
            if last is not None and last[2] != channel:
                self.switches += 1
                self._switched.append((at, event))
                if len(self._switched) > self._rules.hopping_switches:
                    del self._switched[0]
                self._notice_hopping(channel, at, event)

    def outcome(self, channel: str, *, good: bool) -> None:
        """Count a good or a bad outcome on a channel."""
        use = self._uses.get(channel)
        if use is None:
            use = self._use(channel)
        use["good" if good else "bad"] += 1

    def forget_good(self, channel: str) -> None:
        """Subtract a good outcome that was counted twice."""
        use = self._uses.get(channel)
        if use is not None and use["good"]:
            use["good"] -= 1

    def records(self) -> dict[str, ChannelUse]:
        """As the journey state publishes them: those with a contact."""
        return {name: use.copy() for name, use in sorted(self._uses.items()) if use["touchpoints"]}

    def preferred(self) -> str | None:
        """The inbound channel with the best share of good outcomes; of equal ones the most used, then the last used."""
        best = max(
            (
                ((use["good"] + 1) / (use["good"] + use["bad"] + 2), use["inbound"], use["last_at"], name)
                for name, use in self._uses.items()
                if use["inbound"]
            ),
            default=None,
        )
        return None if best is None else best[3]

    def dump(self, _: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds them."""
        return {
            "channels": self._uses,
            "last_channel": dump_marked(self._last),
            "channel_switches": self.switches,
            "switched": [dump_marked((*stamp, "")) for stamp in self._switched],
            "hopped_at": self._hopped_at,
        }

    def load(self, record: dict[str, Any], _: list[Session]) -> None:
        """Back from `dump`."""
        self._uses = record["channels"]
        self._last = load_marked(record["last_channel"])
        self.switches = record["channel_switches"]
        self._switched.extend((item["at"], item["event_id"]) for item in record["switched"])
        self._hopped_at = record["hopped_at"]

    def absorb(self, other: "Channels") -> None:
        """Add another identifier's channels to these."""
        for name, use in other._uses.items():
            mine = self._uses.get(name) or self._use(name)
            mine["last_at"] = max(mine["last_at"], use["last_at"])
            for count in ("touchpoints", "inbound", "good", "bad"):
                mine[count] += use[count]
        self._last = last_of(self._last, other._last)
        self.switches += other.switches
        self._switched = sorted(self._switched + other._switched)[-self._rules.hopping_switches :]
        self._hopped_at = max(
            (at for at in (self._hopped_at, other._hopped_at) if at is not None), default=None
        )

    def _use(self, channel: str) -> ChannelUse:
        use = ChannelUse(touchpoints=0, inbound=0, good=0, bad=0, last_at=_NEVER)
        put(self._uses, channel, use)
        return use

    def _notice_hopping(self, channel: str, at: int, event: str) -> None:
        switched = self._switched
        window = self._rules.hopping_window_ms
        if len(switched) < self._rules.hopping_switches or at - switched[0][0] > window:
            return
        if self._hopped_at is None or at - self._hopped_at > window:
            self._hopped_at = at
            causes = tuple(cause for _, cause in switched[-MAX_CAUSES:])
            about = f"{event}/switches"
            self._book.keep(self._book.make("channel_hopping", at, causes, {"channel": channel}, about))
