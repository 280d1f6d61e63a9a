"""Each alert fires once: a running deployment is broken, one thing after the other, and Prometheus watches.

The rules are those of deploy/prometheus/alerts.py, with every duration divided by FASTER.
"""

import shutil
from collections.abc import Iterator

import pytest

from deploy.prometheus.alerts import ALL
from tests.alerts.breaks import BREAKS, Break
from tests.alerts.scene import Scene, scene

pytestmark = [pytest.mark.kafka, pytest.mark.soak]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("Prometheus is not on PATH: apt-get install prometheus")
    with scene(program, tmp_path_factory.mktemp("alerts")) as running:
        yield running


def test_every_alert_has_a_break() -> None:
    assert sorted(name for one in BREAKS for name in one.alerts) == sorted(alert.name for alert in ALL)


@pytest.mark.parametrize("one", BREAKS, ids=lambda one: one.title.replace(" ", "-"))
def test_an_alert_fires_when_its_thing_is_broken_and_is_quiet_once_it_is_mended(
    live: Scene, one: Break
) -> None:
    live.wait(lambda: not live.prometheus.firing().keys() & set(one.alerts), f"quiet before: {one.alerts}")
    left = set(one.alerts)

    def fired() -> bool:
        left.difference_update(live.prometheus.firing())
        return not left

    with one.broken(live):
        live.wait(fired, f"{one.title}: {left} of {one.alerts} to fire")
    live.wait(lambda: not live.prometheus.firing().keys() & set(one.alerts), f"quiet after: {one.alerts}")
