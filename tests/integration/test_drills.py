"""The drills of `tests/drills`, smaller."""

import pytest

from tests.drills.erasure import drill
from tests.integration.parts import deployment


@pytest.mark.soak
@pytest.mark.sandbox
def test_nobody_who_is_forgotten_behind_a_backlog_leaves_a_trace(broker, clickhouse, tmp_path) -> None:
    with deployment(broker, clickhouse, log_dir=tmp_path, session_timeout=30.0) as live:
        figures, traces = drill(live, 6_000)

    assert traces == []
    assert figures["deleted"]["touchpoints"] >= 6
