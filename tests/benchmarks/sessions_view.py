"""What the view `sessions` costs: `PYTHONPATH=. python tests/benchmarks/sessions_view.py [touchpoints]`."""

import sys
import tempfile
import time
import uuid
from pathlib import Path

from deploy.kafka_admin.meanings import meanings
from deploy.sandbox import ClickHouseServer
from schemas.settings import ClickHouse, Settings
from sinks.clickhouse.connection import connect
from sinks.clickhouse.migrate import migrate
from sinks.clickhouse.write.catalogue import put_in_force

TOUCHPOINTS = 1_000_000
PER_PERSON = 20  #: one in four named by its source, one in eight outbound

_FILL = """
    INSERT INTO raw_touchpoints (tenant, event_id, occurred_at, source, channel, type, identifier_type,
        identifier_value, profile_id, assignment_version, session_id)
    SELECT 'default', toString(number),
        toDateTime64('2026-01-01', 3, 'UTC') + toIntervalMinute(intDiv(number * 7919, %(people)s) %% 90 * 20),
        'shop', ['web', 'app', 'email', 'phone'][number %% 4 + 1], if(number %% 8 = 0, 'email_sent', 'product_view'),
        'cookie', toString(number %% %(people)s),
        toUUID(concat('00000000-0000-5000-8000-', leftPad(toString(number %% %(people)s), 12, '0'))), -1,
        if(number %% 4 = 1, toString(intDiv(number, %(people)s) %% 3), '')
    FROM numbers(%(touchpoints)s)
"""
_QUESTIONS = {
    "all sessions": "SELECT count(), sum(touchpoints) FROM sessions",
    "one profile's": "SELECT count() FROM sessions WHERE tenant = 'default'"
    " AND profile_id = '00000000-0000-5000-8000-000000000042'",
    "touchpoints_current, to compare": "SELECT count(), uniqExact(profile_id) FROM touchpoints_current",
}


def main() -> None:
    """Fill a server of its own and ask."""
    touchpoints = int(sys.argv[1]) if len(sys.argv) > 1 else TOUCHPOINTS
    with tempfile.TemporaryDirectory() as folder:
        server = ClickHouseServer(Path(folder), Path(folder))
        server.start()
        try:
            measure(server, touchpoints)
        finally:
            server.stop()


def measure(server: ClickHouseServer, touchpoints: int) -> None:
    """Fill a database and ask."""
    where = ClickHouse.from_url(server.url_of(f"bench_{uuid.uuid4().hex[:8]}"))
    migrate(where)
    put_in_force(where, meanings(Settings()))
    client = connect(where)
    client.execute(_FILL, {"touchpoints": touchpoints, "people": touchpoints // PER_PERSON})
    for what, question in _QUESTIONS.items():
        began = time.perf_counter()
        answer = client.execute(question)
        print(f"{what:32} {time.perf_counter() - began:6.2f} s  {answer}")
    client.disconnect()


if __name__ == "__main__":
    main()
