"""Schemas are looked up before their records are decoded; a registry that is down is waited for."""

import asyncio
import logging
from types import SimpleNamespace

import pytest

from schemas.errors import ContractError, Reason, TouchlineError, UnavailableError
from streams.stitch import registry_prefetch
from streams.stitch.registry_prefetch import prefetch_schemas


class Registry:
    """Fails with the given errors in turn, then answers."""

    def __init__(self, *errors: TouchlineError) -> None:
        self.errors, self.asked = [*errors], []

    def lookup(self, schema_id: int) -> None:
        self.asked.append(schema_id)
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_prefetch, "INITIAL_BACKOFF_SECONDS", 0.001)


def prefetch(registry: Registry, *values: bytes | None) -> None:
    records = [SimpleNamespace(value=value) for value in values]
    asyncio.run(prefetch_schemas(registry, records))  # type: ignore[arg-type]


def test_each_schema_of_framed_records_is_looked_up_once() -> None:
    registry = Registry()
    prefetch(
        registry, b"\0\0\0\0\7x", b"\0\0\0\0\7y", b"\0\0\0\0\3z", b"\xc3\1single object", None, b"", b"\0\0\1"
    )
    assert registry.asked == [3, 7]


def test_a_registry_that_is_down_is_waited_for_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    registry = Registry(*[UnavailableError("the registry is resting")] * 3)
    with caplog.at_level(logging.WARNING):
        prefetch(registry, b"\0\0\0\0\7x")
    assert registry.asked == [7] * 4
    assert [record.getMessage() for record in caplog.records] == [
        "the registry is resting; waiting for the registry"
    ]


def test_a_refused_schema_is_asked_for_once_and_left_to_decoding() -> None:
    registry = Registry(ContractError(Reason.UNDECODABLE, "no such schema"))
    prefetch(registry, b"\0\0\0\0\7x")
    assert registry.asked == [7]


def test_a_refused_schema_leaves_the_lookup_of_the_others() -> None:
    registry = Registry(ContractError(Reason.UNDECODABLE, "no such schema"))
    prefetch(registry, b"\0\0\0\0\7x", b"\0\0\0\0\x08x")
    assert registry.asked == [7, 8]
