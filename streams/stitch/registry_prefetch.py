"""Prefetches the schemas of Confluent-framed records from the schema registry, outside the event loop.

A registry that is down is no reason to reject valid records. The fetch waits for the registry with exponential backoff,
and the other partitions go on.
"""

import asyncio
import logging
from contextlib import suppress
from typing import Any, Final

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential

from schemas.encoding.confluent import RegistryClient
from schemas.errors import ContractError, UnavailableError

INITIAL_BACKOFF_SECONDS: Final = 0.5
MAX_BACKOFF_SECONDS: Final = 10.0
_MAGIC: Final = b"\x00"

log: Final = logging.getLogger("touchline.worker")


async def prefetch_schemas(registry: RegistryClient, records: list[Any]) -> None:
    """Look up each schema id of the records. Afterwards the registry's cache holds its schema or its refusal.

    Waits as long as the registry is unavailable.
    """
    framed = {record.value[1:5] for record in records if record.value and record.value[:1] == _MAGIC}
    for schema_id in sorted(int.from_bytes(raw, "big") for raw in framed if len(raw) == 4):
        await _prefetch(registry, schema_id)


async def _prefetch(registry: RegistryClient, schema_id: int) -> None:
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(UnavailableError),
        wait=wait_exponential(multiplier=INITIAL_BACKOFF_SECONDS, max=MAX_BACKOFF_SECONDS),
        before_sleep=_log_first_failure,
    ):
        with attempt, suppress(ContractError):  # decoding raises it again, for each record with this id
            await asyncio.to_thread(registry.lookup, schema_id)


def _log_first_failure(state: RetryCallState) -> None:
    if state.attempt_number == 1 and state.outcome is not None:
        log.warning("%s; waiting for the registry", state.outcome.exception())
