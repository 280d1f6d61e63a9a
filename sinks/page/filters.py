"""What a viewer narrows the page to: a time range and fields, all of it in the URL. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlencode

#: Name of a time range → its length; None reaches back to the beginning.
RANGES: Final[dict[str, timedelta | None]] = {
    "1h": timedelta(hours=1), "24h": timedelta(days=1), "7d": timedelta(days=7), "30d": timedelta(days=30),
    "90d": timedelta(days=90), "all": None,
}  # fmt: skip
DEFAULT_RANGE: Final = "30d"
#: Longest value of a filter; touchpoints carry none that is longer.
LONGEST: Final = 512
_BEGINNING: Final = datetime(1900, 1, 1, tzinfo=UTC)
#: Time range → seconds, or a word, for one point of a line; else a day.
_BUCKETS: Final = {"1h": 300, "24h": 3600, "7d": 21_600}
_PERIODS: Final = {"1h": "hour", "24h": "hour", "90d": "week", "all": "week"}


@dataclass(frozen=True)
class Filters:
    """One choice of filters; an empty text filters nothing. Equal choices are equal keys of the answers' cache."""

    range: str = DEFAULT_RANGE
    channel: str = field(default="", metadata={"label": "Channel"})
    source: str = field(default="", metadata={"label": "Source"})
    campaign: str = field(default="", metadata={"label": "Campaign"})
    account: str = field(default="", metadata={"label": "Account"})
    stage: str = field(default="", metadata={"label": "Stage"})
    experiment: str = field(default="", metadata={"label": "Experiment"})  #: name, or name=variant

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> "Filters":
        """The filters of a URL's query. Whatever is no filter is left out: an old link still shows something."""
        found = {name: query[name][:LONGEST] for name in NAMES if query.get(name)}
        chosen = query.get("range", DEFAULT_RANGE)
        return cls(range=chosen if chosen in RANGES else DEFAULT_RANGE, **found)

    @property
    def chosen(self) -> dict[str, str]:
        """The fields that filter, by name."""
        return {name: value for name in NAMES if (value := getattr(self, name))}

    @property
    def pairs(self) -> dict[str, str]:
        """What the URL says: the fields that filter, and a time range other than the default."""
        return {**({} if self.range == DEFAULT_RANGE else {"range": self.range}), **self.chosen}

    def query(self, **changes: str) -> str:
        """The URL's query of these filters with some changed; empty if nothing differs from the default."""
        return urlencode(replace(self, **changes).pairs)

    def parameters(self, now: datetime) -> dict[str, str | int]:
        """Values for the placeholders of a panel's SQL. Times are whole minutes, as ClickHouse reads them."""
        length = RANGES[self.range]
        until = now.replace(second=0, microsecond=0) + timedelta(minutes=1)
        since = _BEGINNING if length is None else until - length
        name, _, variant = self.experiment.partition("=")
        return {
            **{each: getattr(self, each) for each in NAMES},
            "since": _text(since),
            "until": _text(until),
            "bucket_seconds": _BUCKETS.get(self.range, 86_400),
            "period": _PERIODS.get(self.range, "day"),
            "experiment": name,
            "variant": variant,
        }


#: The filters beside the time range, in the order that the page shows them.
NAMES: Final = tuple(item.name for item in fields(Filters) if item.name != "range")
LABELS: Final = {item.name: item.metadata["label"] for item in fields(Filters) if item.name != "range"}

#: The first parameters of every view that answers for a period.
PERIOD: Final = "tenant = %(tenant)s, since = %(since)s, until = %(until)s"

_JOURNEYS: Final = {
    "range": "last_seen >= %(since)s AND last_seen < %(until)s",
    "channel": "mapContains(channels, %(channel)s)",
    "campaign": "%(campaign)s IN (first_campaign, last_campaign)",
    "account": "account_id = %(account)s",
    "stage": "stage = %(stage)s",
    "experiment": "mapContains(experiments, %(experiment)s)"
    " AND (%(variant)s = '' OR experiments[%(experiment)s] = %(variant)s)",
}
#: Relation → filter → its condition. A filter that a relation lacks cannot narrow a panel that reads it.
CONDITIONS: Final[dict[str, dict[str, str]]] = {
    "journeys": _JOURNEYS,
    # people of all times: the panel itself says what of them the time range narrows
    "standing": {**_JOURNEYS, "range": ""},
    "touchpoints": {
        "range": "occurred_at >= %(since)s AND occurred_at < %(until)s",
        "channel": "channel = %(channel)s",
        "source": "source = %(source)s",
        "campaign": "campaign = %(campaign)s",
        "account": "account_id = %(account)s",
        "experiment": "mapContains(experiments, %(experiment)s)"
        " AND (%(variant)s = '' OR experiments[%(experiment)s] = %(variant)s)",
    },
    "signals": {"range": "occurred_at >= %(since)s AND occurred_at < %(until)s"},
    "accounts": {
        "range": "last_at >= %(since)s AND last_at < %(until)s",
        "account": "account_id = %(account)s",
    },
    "issues": {
        "range": "",
        "channel": "channel = %(channel)s",
        "source": "source = %(source)s",
        "account": "account_id = %(account)s",
    },
    # views that take the period as parameters; the second ones take a filter, too
    "range": {"range": ""},
    "channel": {"range": "", "channel": ""},
    "stage": {"range": "", "stage": ""},
    "source": {"range": "", "source": ""},
    "nothing": {},
}


def where(relation: str, chosen: Filters) -> str:
    """The condition of a panel that reads `relation`: its tenant, and each filter that applies."""
    known = CONDITIONS[relation]
    wanted = [known[name] for name in ("range", *chosen.chosen) if known.get(name)]
    return " AND ".join(["tenant = %(tenant)s", *(f"({condition})" for condition in wanted)])


def unused(relation: str, chosen: Filters) -> list[str]:
    """Labels of chosen filters that cannot narrow a panel: it says so beside its title."""
    return [LABELS[name] for name in chosen.chosen if name not in CONDITIONS[relation]]


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}.000"
