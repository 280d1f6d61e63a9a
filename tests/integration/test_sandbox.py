"""The sandbox's parts, on both brokers: topics, lag, data that survives kill -9, `touchline status`."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from clickhouse_driver import Client
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.structs import OffsetAndMetadata

from deploy.kafka_admin.lag import Backlog, OffsetReader
from deploy.kafka_admin.topics import create_topics
from deploy.ports import free_port
from deploy.sandbox import Broker, ClickHouseServer, KafkaBroker, Process, TansuBroker, kafka_jars
from schemas.errors import SettingsError, UnavailableError
from schemas.settings import Settings
from schemas.topics import ALL, WORKER_GROUP
from tests.integration.parts import TOUCHLINE, Deployment, deployment, on_kafka
from tests.integration.processes import wait_gone, wait_until

pytestmark = pytest.mark.sandbox


def settings_for(broker: Broker, prefix: str) -> Settings:
    return Settings(brokers=broker.address, topic_prefix=prefix, partitions=3)


def publish(settings: Settings, count: int) -> None:
    producer = KafkaProducer(bootstrap_servers=settings.brokers, linger_ms=20)
    for number in range(count):
        producer.send(settings.topic("touchpoints"), key=str(number).encode(), value=b"x" * 50)
    producer.flush()
    producer.close()


def commit(settings: Settings, offset: int) -> None:
    consumer = KafkaConsumer(bootstrap_servers=settings.brokers, group_id=settings.topic(WORKER_GROUP))
    partition = TopicPartition(settings.topic("touchpoints"), 0)
    consumer.assign([partition])
    consumer.commit({partition: OffsetAndMetadata(offset, "", -1)})
    consumer.close()


def touchpoints_backlog(settings: Settings) -> Backlog:
    with OffsetReader(settings) as reader:
        return next(seen for seen in reader.backlogs()[WORKER_GROUP] if seen.topic == "touchpoints")


def test_topics_are_created_once_and_left_alone_afterwards(broker: Broker) -> None:
    settings = settings_for(broker, "topics.")
    assert create_topics(settings) == [f"topics.{topic.name}" for topic in ALL]
    assert create_topics(settings) == []


def test_a_different_partition_count_is_refused_with_the_number_to_set(broker: Broker) -> None:
    settings = settings_for(broker, "counts.")
    create_topics(settings)
    with pytest.raises(SettingsError, match="has 3 partitions but TOUCHLINE_PARTITIONS is 5: set it to 3"):
        create_topics(replace(settings, partitions=5))


@pytest.mark.kafka
def test_kafka_gets_cleanup_and_retention_of_every_topic(kafka: KafkaBroker) -> None:
    settings = settings_for(kafka, "config.")
    create_topics(settings)
    client = KafkaAdminClient(bootstrap_servers=kafka.address)
    names = [ConfigResource(ConfigResourceType.TOPIC, settings.topic(topic.name)) for topic in ALL]
    found = client.describe_configs(names)["topic"]
    client.close()
    for topic in ALL:
        values = {name: entry["value"] for name, entry in found[settings.topic(topic.name)].items()}
        assert topic.config().items() <= values.items()


def test_lag_counts_every_record_of_a_batch_and_falls_with_the_commit(broker: Broker) -> None:
    settings = settings_for(broker, "lag.")
    create_topics(settings)
    publish(settings, 300)
    before = touchpoints_backlog(settings)
    assert (before.end, before.done, before.lag) == (300, 0, 300)
    commit(settings, 10)
    after = touchpoints_backlog(settings)
    assert (after.end, after.done, after.lag) == (300, 10, 290)


def test_lag_follows_what_is_published_over_one_connection(broker: Broker) -> None:
    settings = settings_for(broker, "follow.")
    create_topics(settings)
    with OffsetReader(settings) as reader:
        for published in (0, 40, 80):
            backlogs = reader.backlogs()[WORKER_GROUP]
            assert sum(backlog.lag for backlog in backlogs) == published
            publish(settings, 40)


@pytest.mark.soak
@pytest.mark.kafka
def test_kafka_keeps_records_over_kill_9(tmp_path: Path) -> None:
    if kafka_jars.missing_programs():
        pytest.skip("Apache Kafka needs java and mvn on PATH")
    broker = KafkaBroker(tmp_path / "data", tmp_path)
    settings = settings_for(broker, "")
    try:
        broker.start()
        create_topics(settings)
        publish(settings, 50)
        broker.kill()
        with pytest.raises(UnavailableError, match="no Kafka broker answers at"):
            create_topics(settings)
        broker.start()
        assert touchpoints_backlog(settings).end == 50
    finally:
        broker.stop()


def test_clickhouse_keeps_rows_over_kill_9(tmp_path: Path) -> None:
    server = ClickHouseServer(tmp_path / "data", tmp_path)
    try:
        server.start()
        with_client(server, "CREATE TABLE kept (x Int64) ENGINE = MergeTree ORDER BY x")
        with_client(server, "INSERT INTO kept SELECT number FROM numbers(1000)")
        server.kill()
        server.start()
        assert with_client(server, "SELECT count() FROM kept") == [(1000,)]
    finally:
        server.stop()


def test_a_taken_port_is_named_with_the_option_that_changes_it(tansu: TansuBroker, tmp_path: Path) -> None:
    second = TansuBroker(tmp_path, port=tansu.port)
    with pytest.raises(UnavailableError, match=f"port {tansu.port} .* is taken: .* --kafka-port"):
        second.start()


def test_a_part_that_cannot_start_shows_the_end_of_its_log(tmp_path: Path) -> None:
    broken = Process("broken", [sys.executable, "-c", "raise SystemExit('no disk')"], tmp_path / "broken.log")
    broken.start()
    with pytest.raises(UnavailableError, match=r"broken ended with exit code 1; its log .* ends:\nno disk"):
        broken.wait_ready(lambda: False, timeout=30)


def test_children_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import time; from pathlib import Path; from deploy.sandbox import Process\n"
        f"child = Process('child', ['sleep', '600'], Path({str(tmp_path / 'log')!r}))\n"
        "child.start(); print(child.pid, flush=True); time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.kill()
    parent.communicate()
    wait_gone([child])


def test_stop_ends_a_process_that_ignores_sigterm_and_one_that_is_suspended(tmp_path: Path) -> None:
    deaf = Process("deaf", ["sh", "-c", "trap '' TERM; echo set; exec sleep 600"], tmp_path / "deaf.log")
    deaf.start()
    wait_until(lambda: "set" in deaf.log_tail())
    assert deaf.stop(timeout=0.2) == -signal.SIGKILL
    suspended = Process("suspended", ["sleep", "600"], tmp_path / "suspended.log")
    suspended.start()
    suspended.signal(signal.SIGSTOP)
    assert suspended.stop(timeout=10) == -signal.SIGTERM


def test_status_reports_an_empty_deployment_as_json(broker: Broker, clickhouse: ClickHouseServer) -> None:
    with deployment(broker, clickhouse, workers=0, loader=False) as fresh:
        publish(fresh.settings, 7)
        done = subprocess.run(
            [*TOUCHLINE, "status", "--json"], env=fresh.env(), capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")
        status = json.loads(done.stdout)
        assert status["published"] == 7
        assert status["lag"][WORKER_GROUP]["touchpoints"] == 7
        assert (status["profiles"], status["open_signals"], status["merges"], status["dead_letters"]) == (
            0,
            0,
            0,
            0,
        )
        assert status["problems"] == []


def test_status_says_in_a_line_each_that_nothing_answers() -> None:
    port = free_port()
    settings = Settings(
        brokers=f"127.0.0.1:{port}", clickhouse_url=f"clickhouse://127.0.0.1:{port}/touchline"
    )
    done = subprocess.run(
        [*TOUCHLINE, "status"], env={**os.environ, **settings.to_env()}, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("touchline: no Kafka broker answers at")
    assert done.stderr.splitlines()[1].startswith("touchline: ClickHouse at")
    assert done.stderr.count("\n") == 2


@on_kafka
def test_a_health_probe_says_what_is_not_well_one_sentence_each(
    broker: Broker, clickhouse: ClickHouseServer
) -> None:
    def probe(live: Deployment, *options: str, **env: str) -> "subprocess.CompletedProcess[str]":
        command = [*TOUCHLINE, "status", "--check", *options]
        return subprocess.run(command, env={**live.env(), **env}, capture_output=True, text=True)

    with deployment(broker, clickhouse, workers=0, loader=False) as fresh:
        publish(fresh.settings, 7)
        done = probe(fresh, "--max-lag", "6", "--json")
        assert done.returncode == 1
        assert done.stderr.splitlines() == [
            "touchline: consumer group touchline-worker has no member: start `touchline worker`",
            "touchline: consumer group touchline-loader has no member: start `touchline load`",
            "touchline: consumer group touchline-worker lags 7 records behind, above --max-lag 6",
        ]
        said = [f"touchline: {problem}" for problem in json.loads(done.stdout)["problems"]]
        assert said == done.stderr.splitlines()
        assert "lags" not in probe(fresh, "--max-lag", "7").stderr
        prefixed = probe(fresh, TOUCHLINE_TOPIC_PREFIX="never.")
        missing = f"Kafka has no topic never.touchpoints and {len(ALL) - 1} more"
        assert f"{missing}: run `touchline topics`" in prefixed.stderr
        assert prefixed.returncode == 1
        url = clickhouse.url_of("never_migrated")
        assert "touchline migrate" in probe(fresh, TOUCHLINE_CLICKHOUSE_URL=url).stderr

        fresh.start_worker()
        fresh.start_loader()
        fresh.wait_idle()
        done = probe(fresh, "--max-lag", "0")
        assert (done.returncode, done.stderr) == (0, "")


@on_kafka
def test_a_probe_and_a_worker_create_no_topic_and_name_the_first_that_is_missing(
    broker: Broker, clickhouse: ClickHouseServer
) -> None:
    with deployment(broker, clickhouse, workers=0, loader=False) as live:
        env = {**live.env(), "TOUCHLINE_TOPIC_PREFIX": "unmade."}
        sentences = {
            "worker": "topic unmade.pseudonym-keys does not exist on",
            "load": "Kafka has no topic unmade.account-states and",
        }
        for command, sentence in sentences.items():
            done = subprocess.run([*TOUCHLINE, command], env=env, capture_output=True, text=True, timeout=30)
            assert done.returncode == 1
            assert f"touchline: {sentence}" in done.stderr.splitlines()[-1]
            assert "run `touchline topics`" in done.stderr
        assert len(create_topics(replace(live.settings, topic_prefix="unmade."))) == len(ALL)


@on_kafka
def test_a_worker_says_that_it_starts_reads_and_stops(broker: Broker, clickhouse: ClickHouseServer) -> None:
    with deployment(broker, clickhouse, workers=1, loader=True) as live:
        assert live.loader is not None
        loader = live.loader
        wait_until(lambda: "ready" in live.workers[0].log_tail() and "loading" in loader.log_tail())
        for process in (*live.workers, loader):
            assert process.stop() == 0
        lines = [line.split(": ", 1)[1] for line in live.workers[0].log.read_text().splitlines()]
        core, *lines = lines
        assert core.startswith("core: ")
        assert lines == [
            f"touchline {version('touchline')}: a worker of group {live.settings.topic(WORKER_GROUP)} starts on Kafka"
            f" at {live.settings.brokers}",
            "assigned partitions 0-3 of 4: restoring their state",
            "ready: state is restored, reading begins",
            "stopped: what was processed is committed",
        ]
        said = loader.log.read_text()
        assert all(words in said for words in ("starts on Kafka at", "loading", "stopped: what was read"))


def with_client(server: ClickHouseServer, sql: str) -> list[tuple[object, ...]]:
    client = Client("127.0.0.1", server.port)
    try:
        return client.execute(sql)
    finally:
        client.disconnect()
