"""A confused producer throws all it has at the internal topics of a running deployment; the others notice nothing."""

import pytest
from kafka import KafkaProducer

from tests.integration.parts import deployment
from tests.integration.test_erasure import shop
from tests.integration.test_pipeline import assert_live_equals, replayed, send
from tests.support.confused import confused_outputs, confused_records

pytestmark = pytest.mark.sandbox


def test_each_confused_record_is_one_dead_letter_and_nobody_else_notices_also_after_a_restart(
    tansu, clickhouse, tmp_path
) -> None:
    events = shop()
    with deployment(tansu, clickhouse, log_dir=tmp_path) as live:
        settings, (worker,) = live.settings, live.workers
        confused = [*confused_records(settings.partitions), *confused_outputs(settings.partitions)]
        send(events[:4], live)
        producer = KafkaProducer(bootstrap_servers=settings.brokers, enable_idempotence=False, linger_ms=20)
        sent = [
            producer.send(
                settings.topic(one.topic.name), key=one.key, value=one.value, partition=one.partition,
                headers=list(one.headers),
            )
            for one in confused
        ]  # fmt: skip
        producer.close()
        places = {(future.get(1).topic, future.get(1).partition, future.get(1).offset): str(one)
                  for future, one in zip(sent, confused, strict=True)}  # fmt: skip
        first = worker.pid
        send(events[4:], live)
        live.wait_idle()

        assert (worker.alive, worker.pid) == (True, first), live.log_tails()
        letters = live.query("SELECT topic, partition, offset, reason FROM dead_letters FINAL")
        written = [places.get(tuple(place), "nobody's") for *place, _ in letters]
        assert sorted(written) == sorted(places.values())
        assert live.query("SELECT topic, error FROM dead_letters FINAL WHERE reason = 'UNEXPECTED'") == []
        assert_live_equals(replayed(events, live), live)

        worker.stop()
        worker.start()
        send(events, live)
        live.wait_idle()
        assert_live_equals(replayed(events, live), live)
