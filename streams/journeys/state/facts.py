"""The commutative facts of a journey: counts, sums, firsts and lasts.

Each is an associative and commutative aggregate over the touchpoints. So any grouping of them gives the same value, and
summing up the oldest touchpoints changes none.
"""

from typing import Any, Final

from schemas.records import Touchpoint
from streams.journeys.rules.meaning import Meaning
from streams.journeys.state.sessions import Session, SessionPool
from streams.journeys.state.values.bounded import put
from streams.journeys.state.values.stamps import Marked, dump_marked, first_of, last_of, load_marked

_COUNTS: Final = ("touchpoints", "ouch_moments", "wow_moments")


class Facts:
    """Counts, sums, firsts and lasts over the touchpoints of one journey."""

    __slots__ = (
        "account", "as_of", "components", "experiments", "first_campaign", "first_seen", "last_campaign",
        "ouch_moments", "touchpoints", "wow_moments",
    )  # fmt: skip

    def __init__(self) -> None:
        self.touchpoints = 0
        self.first_seen = self.as_of = 0  #: UTC ms
        self.account: Marked | None = None
        self.components: dict[str, int] = {}
        self.ouch_moments = self.wow_moments = 0
        self.experiments: dict[str, Marked] = {}
        self.first_campaign: Marked | None = None
        self.last_campaign: Marked | None = None

    def note(self, touchpoint: Touchpoint, meaning: Meaning, at: int, event: str) -> None:
        """Add the next touchpoint in fold order; `at` in UTC ms, `event` an event_key."""
        if not self.touchpoints:
            self.first_seen = at
        self.touchpoints += 1
        self.as_of = at
        self.components[meaning.component] = at
        if meaning.moment is not None:
            if meaning.moment == "ouch":
                self.ouch_moments += 1
            else:
                self.wow_moments += 1
        if touchpoint["experiments"]:
            for experiment, variant in touchpoint["experiments"].items():
                put(self.experiments, experiment, (at, event, variant))
        if touchpoint["account_id"] is not None:
            self.account = (at, event, touchpoint["account_id"])
        campaign = touchpoint["campaign"]
        if campaign is not None:
            self.last_campaign = (at, event, campaign)
            if self.first_campaign is None:
                self.first_campaign = self.last_campaign

    def dump(self, _: SessionPool) -> dict[str, Any]:
        """As FoldSummary.avsc holds them."""
        record: dict[str, Any] = {name: getattr(self, name) for name in _COUNTS}
        return record | {
            "first_seen": self.first_seen,
            "as_of": self.as_of,
            "account_id": dump_marked(self.account),
            "components": self.components,
            "experiments": {name: dump_marked(marked) for name, marked in self.experiments.items()},
            "first_campaign": dump_marked(self.first_campaign),
            "last_campaign": dump_marked(self.last_campaign),
        }

    def load(self, record: dict[str, Any], _: list[Session]) -> None:
        """Back from `dump`. Raises ValueError."""
        for name in _COUNTS:
            setattr(self, name, record[name])
        self.first_seen, self.as_of = record["first_seen"], record["as_of"]
        self.account = load_marked(record["account_id"])
        self.components = dict(record["components"])
        self.experiments = {
            name: (item["at"], item["event_id"], item["value"])
            for name, item in record["experiments"].items()
        }
        self.first_campaign = load_marked(record["first_campaign"])
        self.last_campaign = load_marked(record["last_campaign"])

    def absorb(self, other: "Facts") -> None:
        """Merge the facts of another identifier's touchpoints into these."""
        self.first_seen = min(self.first_seen, other.first_seen) if self.touchpoints else other.first_seen
        self.as_of = max(self.as_of, other.as_of) if self.touchpoints else other.as_of
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.account = last_of(self.account, other.account)
        for component, at in other.components.items():
            self.components[component] = max(at, self.components.get(component, at))
        for name, marked in other.experiments.items():
            put(self.experiments, name, last_of(self.experiments.get(name), marked) or marked)
        self.first_campaign = first_of(self.first_campaign, other.first_campaign)
        self.last_campaign = last_of(self.last_campaign, other.last_campaign)
