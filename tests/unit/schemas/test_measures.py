"""Collectors that are made from literals: the same samples as prometheus_client's own, many values at a time."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from schemas.measures import BatchCounter, BatchHistogram, counter, gauge, histogram, show
from schemas.metrics import catalogue as metrics
from schemas.metrics.metric import LABELS, Metric

WAITS = Metric("waits_seconds", "histogram", "How long", ("stage",), (0.1, 1, 10))
BOUNDS = ("0.1", "1.0", "10.0", "+Inf")
HERE = Metric("here", "gauge", "What is here", ("place",))


@given(st.lists(st.lists(st.floats(-1, 20, allow_nan=False) | st.sampled_from([0.1, 1.0, 10.0]))))
def test_values_at_once_count_as_values_one_by_one(batches: list[list[float]]) -> None:
    at_once, one_by_one = CollectorRegistry(), CollectorRegistry()
    many, single = BatchHistogram(WAITS, at_once), histogram(WAITS, one_by_one)
    for batch in batches:
        many.observe_all(list(batch), "stitch")
        for value in batch:
            single.labels("stitch").observe(value)
    samples = {"stage": "stitch"}
    for bound in ("0.1", "1.0", "10.0", "+Inf"):
        name, labels = "waits_seconds_bucket", {**samples, "le": bound}
        assert (at_once.get_sample_value(name, labels) or 0) == (
            one_by_one.get_sample_value(name, labels) or 0
        )
    total = one_by_one.get_sample_value("waits_seconds_sum", samples) or 0.0
    assert (at_once.get_sample_value("waits_seconds_sum", samples) or 0.0) == pytest.approx(total)
    count = sum(map(len, batches))
    assert (at_once.get_sample_value("waits_seconds_count", samples) or 0) == count


@given(st.floats(0, 20), st.floats(0, 20), st.integers(1, 9))
def test_values_alike_count_at_once_where_one_bucket_holds_them(one: float, other: float, count: int) -> None:
    registry, control = CollectorRegistry(), CollectorRegistry()
    alike, single = BatchHistogram(WAITS, registry), histogram(WAITS, control)
    for value in (one, other):
        single.labels("s").observe(value)
    spread = [control.get_sample_value("waits_seconds_bucket", {"stage": "s", "le": le}) for le in BOUNDS]
    assert alike.observe_alike(count, one, other, "s") == (1 not in spread)
    if 1 in spread:
        alike.observe(one, "s")
    found = registry.get_sample_value("waits_seconds_count", {"stage": "s"})
    assert found == (1 if 1 in spread else count)
    places = [registry.get_sample_value("waits_seconds_bucket", {"stage": "s", "le": le}) for le in BOUNDS]
    assert [bool(place) for place in places] == [
        bool(control.get_sample_value("waits_seconds_bucket", {"stage": "s", "le": le}))
        if 1 not in spread
        else one <= float(le)
        for le in BOUNDS
    ]


def test_a_counter_without_a_lock_counts_by_label() -> None:
    registry = CollectorRegistry()
    counted = BatchCounter(Metric("seen", "counter", "What was seen", ("place",)), registry)
    counted.add(2, "a")
    counted.add(3, "a")
    counted.add(1, "b")
    assert registry.get_sample_value("seen_total", {"place": "a"}) == 5
    assert registry.get_sample_value("seen_total", {"place": "b"}) == 1


def test_a_histogram_of_many_values_is_exposed_as_any_other() -> None:
    registry = CollectorRegistry()
    BatchHistogram(WAITS, registry).observe_all([5.0, 0.05], "stitch")
    text = generate_latest(registry).decode()
    assert "# TYPE waits_seconds histogram" in text
    assert 'waits_seconds_bucket{le="1.0",stage="stitch"} 1.0' in text
    assert 'waits_seconds_count{stage="stitch"} 2.0' in text


def test_a_gauge_shows_nothing_of_what_is_gone() -> None:
    registry = CollectorRegistry()
    shown = gauge(HERE, registry)
    show(shown, [(("a",), 1), (("b",), 2)])
    show(shown, [(("b",), 3)])
    assert registry.get_sample_value("here", {"place": "a"}) is None
    assert registry.get_sample_value("here", {"place": "b"}) == 3


@pytest.mark.parametrize("metric", metrics.ALL, ids=lambda metric: metric.name)
def test_every_metric_is_named_as_prometheus_asks_and_its_labels_are_explained(metric: Metric) -> None:
    registry = CollectorRegistry()
    made: dict[str, Any] = {"counter": counter, "gauge": gauge, "histogram": histogram}
    made[metric.kind](metric, registry)  # the library refuses a bad name
    assert metric.name.startswith("touchline_")
    assert not metric.name.endswith("_total"), "the library adds it"
    assert set(metric.labels) <= LABELS.keys()
    assert bool(metric.buckets) == (metric.kind == "histogram")
    assert list(metric.buckets) == sorted(set(metric.buckets))


def test_no_two_metrics_have_one_name_and_no_label_is_explained_in_vain() -> None:
    names = [metric.name for metric in metrics.ALL]
    assert len(set(names)) == len(names)
    assert LABELS.keys() == {label for metric in metrics.ALL for label in metric.labels}
