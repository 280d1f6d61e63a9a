"""The doctor on a real Kafka and a real ClickHouse: faults are planted one after the other, and each is found."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from deploy.kafka_admin.client import admin
from deploy.repair.doctor.examine import examine
from deploy.repair.doctor.findings import Examination, Severity
from schemas import topics
from schemas.settings import Settings
from sinks.clickhouse.connection import connect
from tests.integration.parts import Deployment, deployment
from tests.integration.test_pipeline import send
from tests.support.touchpoints import touchpoint

pytestmark = [pytest.mark.kafka, pytest.mark.soak]

KEY = "fedcba9876543210" * 4


@pytest.fixture(scope="module")
def live(kafka, clickhouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    folder = tmp_path_factory.mktemp("doctor")
    secret = folder / "key"
    secret.write_text("0123456789abcdef" * 4)
    secret.chmod(0o600)
    with deployment(kafka, clickhouse, log_dir=folder, pseudonym_key=f"@{secret}") as running:
        send([touchpoint("e1", minute=1, ids=[("cookie", "a"), ("email", "ann@shop.de")])], running)
        running.wait_idle()
        yield running


def faults(settings: Settings, max_lag: int = 100) -> dict[str, list[str]]:
    """Check → what is wrong, and how to mend it."""
    return of(examine(settings, max_lag, {}))


def of(found: Examination) -> dict[str, list[str]]:
    wrong: dict[str, list[str]] = {}
    for one in found.findings:
        if one.severity is Severity.FAULT:
            assert one.what
            assert one.mend
            wrong.setdefault(one.check, []).append(f"{one.what}: {one.mend}")
    return wrong


def configure(live: Deployment, topic: topics.Topic, **values: str) -> None:
    changed = {name.replace("_", "."): value for name, value in values.items()}
    with admin(live.settings) as client:
        client.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, live.settings.topic(topic.name), changed)]
        )


def test_a_deployment_that_is_well_has_no_faults(live: Deployment) -> None:
    assert faults(live.settings) == {}
    warned = {(one.severity.value, one.check) for one in examine(live.settings, 100, {}).findings}
    assert warned == {("warning", "rights"), ("warning", "clickhouse-users")}


@pytest.mark.parametrize(
    ("check", "changed", "word"),
    [
        ("key", {"pseudonym_key": KEY}, "is not the key that this deployment knows"),
        ("topics", {"partitions": 8}, "set TOUCHLINE_PARTITIONS to 4"),
        ("replicas", {"replication": 3}, "fewer replicas than TOUCHLINE_REPLICATION 3"),
        ("brokers", {"brokers": "127.0.0.1:1"}, "no Kafka broker answers"),
        ("brokers", {"kafka_security": "ssl"}, "does not speak TLS here"),
        ("clickhouse", {"clickhouse_url": "clickhouse://127.0.0.1:1/x"}, "does not answer"),
        ("registry", {"registry_url": "http://127.0.0.1:1"}, "the schema registry at"),
    ],
)
def test_settings_that_are_not_the_deployment_s_are_found(
    live: Deployment, check: str, changed: dict[str, object], word: str
) -> None:
    found = faults(replace(live.settings, **changed))  # type: ignore[arg-type]
    assert set(found) == {check}
    assert word in found[check][0]


def test_another_catalogue_is_found(live: Deployment, tmp_path: Path) -> None:
    (tmp_path / "catalogue.toml").write_text('[types.ramp_visit]\ncomponent = "browse"\n')
    found = faults(replace(live.settings, catalogue=str(tmp_path / "catalogue.toml")))
    assert set(found) <= {"catalogue", "policy"}
    assert found


def with_topic_settings(live: Deployment) -> Callable[[], None]:
    configure(live, topics.TOUCHPOINTS, retention_ms="1000000")
    return lambda: configure(live, topics.TOUCHPOINTS, **_wanted(topics.TOUCHPOINTS))


def with_a_changelog_that_is_not_compacted(live: Deployment) -> Callable[[], None]:
    configure(live, topics.JOURNEYS_CHANGELOG, cleanup_policy="delete")
    return lambda: configure(live, topics.JOURNEYS_CHANGELOG, **_wanted(topics.JOURNEYS_CHANGELOG))


def without_a_loader(live: Deployment) -> Callable[[], None]:
    assert live.loader is not None
    live.loader.stop()
    return lambda: live.start_loader() and None


def without_a_migration(live: Deployment) -> Callable[[], None]:
    client = connect(live.settings.clickhouse())
    client.execute("CREATE TABLE kept AS schema_migrations")
    client.execute("INSERT INTO kept SELECT * FROM schema_migrations")
    last = client.execute("SELECT max(name) FROM schema_migrations")[0][0]
    client.execute(
        "ALTER TABLE schema_migrations DELETE WHERE name = %(last)s SETTINGS mutations_sync = 2",
        {"last": last},
    )

    def mend() -> None:
        client.execute(
            "INSERT INTO schema_migrations SELECT * FROM kept WHERE name = %(last)s", {"last": last}
        )
        client.execute("DROP TABLE kept")
        client.disconnect()

    return mend


def with_many_parts(live: Deployment) -> Callable[[], None]:
    client = connect(live.settings.clickhouse(), {"async_insert": 0})
    client.execute(
        "CREATE TABLE many (n Int32) ENGINE = MergeTree ORDER BY n SETTINGS parts_to_delay_insert = 5000"
    )
    client.execute("SYSTEM STOP MERGES many")
    for first in range(0, 1100, 100):
        client.execute(
            f"INSERT INTO many SELECT number FROM numbers({first}, 100) SETTINGS max_block_size = 1,"
            " min_insert_block_size_rows = 1, min_insert_block_size_bytes = 1, max_insert_threads = 1"
        )

    def mend() -> None:
        client.execute("DROP TABLE many")
        client.disconnect()

    return mend


def _wanted(topic: topics.Topic) -> dict[str, str]:
    return {name.replace(".", "_"): value for name, value in topic.config().items()}


@pytest.mark.parametrize(
    ("check", "plant", "word"),
    [
        ("topic-settings", with_topic_settings, "--add-config retention.ms=604800000"),
        ("topic-settings", with_a_changelog_that_is_not_compacted, "cleanup.policy is delete, not compact"),
        ("processes", without_a_loader, "start `touchline load`"),
        ("clickhouse", without_a_migration, "run `touchline migrate`"),
        ("parts", with_many_parts, "merges come too late"),
    ],
)
def test_a_planted_fault_is_found_and_gone_once_it_is_mended(
    live: Deployment, check: str, plant: Callable[[Deployment], Callable[[], None]], word: str
) -> None:
    mend = plant(live)
    try:
        found = faults(live.settings)
        assert set(found) == {check}
        assert word in found[check][0]
    finally:
        mend()
    if check != "processes":  # a loader takes some seconds to join
        assert faults(live.settings) == {}


def test_a_topic_that_is_gone_is_found(live: Deployment) -> None:
    gone = live.settings.topic(topics.DEAD_LETTERS.name)
    with admin(live.settings) as client:
        client.delete_topics([gone])
    assert faults(live.settings)["topics"] == [f"Kafka has no topic {gone}: run `touchline topics`"]


def test_lag_is_found(live: Deployment) -> None:
    for process in (*live.workers, live.loader):
        assert process is not None
        process.stop()
    send([touchpoint(f"more-{n}", minute=2, ids=[("cookie", f"c{n}")]) for n in range(50)], live)
    found = faults(live.settings, max_lag=10)
    assert {"processes", "lag"} <= set(found)
    assert "touchline-worker lags 50 records behind" in found["lag"][0]
