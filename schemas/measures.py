"""Collectors of prometheus_client, made from the literals of schemas/metrics/; a histogram of many values at once."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from schemas.metrics.metric import Metric


def counter(metric: Metric, registry: CollectorRegistry = REGISTRY) -> Counter:
    """A counter of this process."""
    return Counter(metric.name, metric.meaning, metric.labels, registry=registry)


def gauge(metric: Metric, registry: CollectorRegistry = REGISTRY) -> Gauge:
    """A gauge of this process."""
    return Gauge(metric.name, metric.meaning, metric.labels, registry=registry)


def histogram(metric: Metric, registry: CollectorRegistry = REGISTRY) -> Histogram:
    """A histogram of this process, for one value at a time."""
    return Histogram(metric.name, metric.meaning, metric.labels, buckets=metric.buckets, registry=registry)


def show(metric: Gauge, values: Iterable[tuple[tuple[str, ...], float]]) -> None:
    """Let a gauge with labels show these values and no others: of what is gone, nothing is left."""
    metric.clear()
    for labels, value in values:
        metric.labels(*labels).set(value)


class BatchCounter(Collector):
    """A counter without a lock: one thread adds to it, another may collect."""

    def __init__(self, metric: Metric, registry: CollectorRegistry = REGISTRY) -> None:
        self._metric = metric
        self._counts: dict[tuple[str, ...], int] = {}
        registry.register(self)

    def add(self, count: int, *labels: str) -> None:
        """Count so many."""
        self._counts[labels] = self._counts.get(labels, 0) + count

    def describe(self) -> Iterator[CounterMetricFamily]:
        """The family without values."""
        yield CounterMetricFamily(self._metric.name, self._metric.meaning, labels=self._metric.labels)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The family with its values."""
        for family in self.describe():
            for labels, count in list(self._counts.items()):
                family.add_metric(labels, count)
            yield family


class _Counted:
    """The values with the same labels: how many fell into each bucket, and their sum."""

    __slots__ = ("counts", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.sum = 0.0


class BatchHistogram(Collector):
    """A histogram that takes the values of a whole fetch: sorted once, it costs a look-up for each bucket.

    One thread observes; another may collect.
    """

    def __init__(self, metric: Metric, registry: CollectorRegistry = REGISTRY) -> None:
        self._metric = metric
        self._bounds: Final = metric.buckets
        self._counted: dict[tuple[str, ...], _Counted] = {}
        registry.register(self)

    def _of(self, labels: tuple[str, ...]) -> _Counted:
        counted = self._counted.get(labels)
        if counted is None:
            counted = self._counted[labels] = _Counted(len(self._bounds) + 1)
        return counted

    def observe(self, value: float, *labels: str) -> None:
        """Count one value."""
        counted = self._of(labels)
        counted.sum += value
        counted.counts[bisect_left(self._bounds, value)] += 1

    def observe_alike(self, count: int, one: float, other: float, *labels: str) -> bool:
        """Count so many values between two, if one bucket holds them all. Returns whether it does.

        Their sum is taken as if they were evenly spread.
        """
        bucket = bisect_left(self._bounds, one)
        if bucket != bisect_left(self._bounds, other):
            return False
        counted = self._of(labels)
        counted.sum += count * (one + other) / 2
        counted.counts[bucket] += count
        return True

    def observe_all(self, values: list[float], *labels: str) -> None:
        """Count values. Sorts the list."""
        counted = self._of(labels)
        values.sort()
        counted.sum += sum(values)
        counts, below = counted.counts, 0
        for number, bound in enumerate(self._bounds):
            upto = bisect_right(values, bound, below)
            counts[number] += upto - below
            below = upto
            if below == len(values):
                return
        counts[-1] += len(values) - below

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """The family without values."""
        yield HistogramMetricFamily(self._metric.name, self._metric.meaning, labels=self._metric.labels)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The family with its values."""
        names = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        for family in self.describe():
            for labels, counted in list(self._counted.items()):
                buckets = zip(names, accumulate(counted.counts), strict=True)
                family.add_metric(labels, [(name, float(count)) for name, count in buckets], counted.sum)
            yield family
