"""What the loader does around its inserts, without Kafka and ClickHouse."""

import asyncio
from typing import Any

import pytest

from schemas.catalogue import Catalogue
from schemas.errors import UnavailableError
from schemas.settings import Settings
from sinks.clickhouse.write import loader as module
from sinks.clickhouse.write.catalogue import Meanings
from sinks.clickhouse.write.loader import Loader


def test_a_loader_that_starts_while_clickhouse_is_down_puts_the_catalogue_in_force_before_its_first_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meanings = Meanings(Catalogue.load(), session_gap_ms=1, session_cap_ms=2)
    down, stored = True, []

    def answer(*_: Any) -> None:
        if down:
            raise UnavailableError("ClickHouse at localhost:1 does not answer")

    def put_in_force(_: Any, wanted: Meanings) -> bool:
        answer()
        stored.append(wanted)
        return True

    monkeypatch.setattr(module, "check_migrated", answer)
    monkeypatch.setattr(module, "put_in_force", put_in_force)

    async def start() -> None:
        nonlocal down
        loader = Loader(Settings(clickhouse_url="clickhouse://localhost:1/touchline"), meanings, dict)
        await loader.check_clickhouse()
        assert stored == []
        down = False
        assert await loader.ensure_in_force()
        assert await loader.ensure_in_force()

    asyncio.run(start())
    assert stored == [meanings]
