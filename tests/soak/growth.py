"""Does anything grow? A robust slope of each series after the warm-up, and a bound with its reason."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from deploy.sizing import model
from tests.soak.sampling import MIB, Sample

HOUR: Final = 3600.0
#: Two points that are nearer to each other say more about noise than about growth.
LEAST_APART: Final = 120.0
#: After a start a process reads its state again, and fills its caches.
SETTLES: Final = 120.0
#: Of what sizing.md counts for a touchpoint or a profile: what is held may grow by that much.
SIZING: Final = 2.0


@dataclass(frozen=True)
class Point:
    """A value at a time; `era` names the processes that it was measured of."""

    at: float  #: seconds since the start
    value: float
    era: tuple[int, ...] = ()


@dataclass(frozen=True)
class Series:
    """What is watched: its value in a sample (None: not there), how it is called, and what growth is allowed."""

    name: str
    unit: str
    of: Callable[[Sample], Point | None]
    allowed: Callable[["Pace"], float]  #: in its unit an hour
    because: str


@dataclass(frozen=True)
class Pace:
    """What came in: an hour's touchpoints and new profiles."""

    touchpoints: float
    profiles: float

    def kept_mib(self, a_touchpoint: float, a_profile: float) -> float:
        """MiB an hour, at so many bytes for each."""
        return SIZING * (self.touchpoints * a_touchpoint + self.profiles * a_profile) / MIB


@dataclass(frozen=True)
class Growth:
    """The verdict on one series."""

    name: str
    unit: str
    first: float  #: median of the first tenth after the warm-up
    last: float  #: of the last tenth
    highest: float
    slope: float | None  #: in the unit an hour; None: there was too little of it
    allowed: float
    because: str

    @property
    def right(self) -> bool:
        """Whether it grows no faster than its bound."""
        return self.slope is not None and self.slope <= self.allowed


def slope(points: list[Point]) -> float | None:
    """Theil-Sen: the median of the slopes between points of one era, an hour.

    A restart puts a process to another level, which is no growth: points of two eras say nothing together. None if no
    two points are far enough apart.
    """
    slopes = [
        (later.value - earlier.value) / (later.at - earlier.at) * HOUR
        for number, earlier in enumerate(points)
        for later in points[number + 1 :]
        if later.era == earlier.era and later.at - earlier.at >= LEAST_APART
    ]
    return median(slopes) if slopes else None


def by_the_minute(points: Iterable[Point]) -> list[Point]:
    """The median of each minute and era: pairs of eight hours' points would be millions."""
    grouped: dict[tuple[int, tuple[int, ...]], list[Point]] = {}
    for point in points:
        grouped.setdefault((int(point.at // 60), point.era), []).append(point)
    return [
        Point(minute * 60.0, median(point.value for point in found), era)
        for (minute, era), found in sorted(grouped.items())
    ]


def settled(points: list[Point], warm_up: float) -> list[Point]:
    """The points after the warm-up whose processes run for a while."""
    began: dict[tuple[int, ...], float] = {}
    for point in points:
        began.setdefault(point.era, point.at)
    first = min((point.at for point in points), default=0.0)
    return [
        point
        for point in points
        if point.at >= warm_up and (began[point.era] == first or point.at - began[point.era] >= SETTLES)
    ]


def judge(series: Series, samples: list[Sample], pace: Pace, warm_up: float) -> Growth:
    """How a series grew."""
    points = settled([point for one in samples if (point := series.of(one)) is not None], warm_up)
    values = [point.value for point in points] or [0.0]
    tenth = max(len(values) // 10, 1)
    return Growth(
        series.name, series.unit, median(values[:tenth]), median(values[-tenth:]), max(values),
        slope(by_the_minute(points)), series.allowed(pace), series.because,
    )  # fmt: skip


def pace_of(samples: list[Sample], warm_up: float) -> Pace:
    """What came in after the warm-up."""
    published, profiles = (
        slope(by_the_minute(settled([p for one in samples if (p := _plain(one, key))], warm_up))) or 0.0
        for key in ("published", "profiles")
    )
    return Pace(published, max(profiles, 0.0))


def _plain(one: Sample, key: str) -> Point | None:
    value = one.get(key)
    return None if value is None else Point(one["at"], float(value))


def _disk(what: str) -> Callable[[Sample], Point | None]:
    return lambda one: Point(one["at"], one["disk_mib"][what])


def _lag(group: str) -> Callable[[Sample], Point | None]:
    return lambda one: None if one["lag"] is None else Point(one["at"], float(one["lag"][group]))


def _of(key: str, *names: str) -> Callable[[Sample], Point | None]:
    """A figure of processes, added up; None while one of them is down."""

    def value(one: Sample) -> Point | None:
        found: list[dict[str, Any] | None] = [one["processes"].get(name) for name in names]
        there = [process for process in found if process is not None]
        if len(there) < len(names):
            return None
        return Point(
            one["at"],
            float(sum(process[key] for process in there)),
            tuple(process["pid"] for process in there),
        )

    return value


WORKERS: Final = ("worker-1", "worker-2")
SERIES: Final = (
    Series(
        "workers' memory", "MiB", _of("anon_mib", *WORKERS),
        lambda pace: 32 + pace.kept_mib(model.TIMELINE_BYTES.value, model.PROFILE_BYTES.value),
        "32 MiB, and twice what sizing.md counts for what was new",
    ),
    Series("loader's memory", "MiB", _of("anon_mib", "loader"), lambda _: 24, "it keeps nothing of an event"),
    Series(
        "Kafka's memory", "MiB", _of("anon_mib", "kafka"), lambda _: 100,
        "its heap ends at 512 MiB and fills slowly",
    ),
    Series(
        "ClickHouse's memory", "MiB", _of("anon_mib", "clickhouse"), lambda _: 200,
        "its caches of marks fill as tables grow",
    ),
    Series("workers' files", "", _of("files", *WORKERS), lambda _: 6, "sockets, and nothing for an event"),
    Series("loader's files", "", _of("files", "loader"), lambda _: 6, "sockets, and nothing for an event"),
    Series(
        "Kafka's files", "", _of("files", "kafka"), lambda _: 120, "segments come and go; it keeps three files each"
    ),
    Series("ClickHouse's files", "", _of("files", "clickhouse"), lambda _: 60, "parts come and go"),
    Series("workers' threads", "", _of("threads", *WORKERS), lambda _: 2, "none for an event"),
    Series("loader's threads", "", _of("threads", "loader"), lambda _: 2, "none for an event"),
    Series("Kafka's threads", "", _of("threads", "kafka"), lambda _: 6, "pools that are full"),
    Series("ClickHouse's threads", "", _of("threads", "clickhouse"), lambda _: 30, "pools that fill"),
    Series(
        "Kafka's disk", "MiB", _disk("kafka"),
        lambda pace: 64 + pace.kept_mib(model.TIMELINE_KEPT.value, model.PROFILE_KEPT.value),
        "64 MiB, and twice what sizing.md counts for compacted topics",
    ),
    Series(
        "ClickHouse's disk", "MiB", _disk("clickhouse"),
        lambda pace: 64 + pace.kept_mib(
            model.EVENT_ROW.value + model.SIGNALS.value * model.SIGNAL_ROW.value,
            model.PROFILE_ROWS.value + model.IDENTIFIERS.value * model.IDENTIFIER_ROWS.value,
        ),
        "64 MiB, and twice what sizing.md counts for rows",
    ),
    Series(
        "checkpoints", "MiB", _disk("state"),
        lambda pace: 16 + pace.kept_mib(model.TIMELINE_BYTES.value, model.PROFILE_BYTES.value),
        "16 MiB, and as the workers' memory",
    ),
    Series("active parts", "", lambda one: _plain(one, "parts"), lambda _: 60, "merges keep up"),
    Series(
        "workers' lag", "records", _lag("touchline-worker"), lambda pace: pace.touchpoints / 60,
        "in an hour not a minute's records",
    ),
    Series(
        "loader's lag", "records", _lag("touchline-loader"), lambda pace: pace.touchpoints / 60,
        "in an hour not a minute's records",
    ),
)  # fmt: skip
