"""Schemas of Confluent-framed records are fetched ahead, outside the event loop, for as long as it takes.

A registry that is down is no reason to reject good records: the fetch waits, the others' work goes on.
"""

import asyncio
import logging
from typing import Any, Final

from schemas.confluent import RegistryClient
from schemas.errors import ContractError, UnavailableError

FIRST_WAIT: Final = 0.5  #: seconds
LONGEST_WAIT: Final = 10.0
_MAGIC: Final = b"\x00"

log: Final = logging.getLogger("touchline.worker")


async def look_up_ahead(registry: RegistryClient, records: list[Any]) -> None:
    """Make sure that every schema id in the records is known, or known to be refused."""
    framed = {record.value[1:5] for record in records if record.value and record.value[:1] == _MAGIC}
    for schema_id in sorted(int.from_bytes(raw, "big") for raw in framed if len(raw) == 4):
        await _look_up(registry, schema_id)


async def _look_up(registry: RegistryClient, schema_id: int) -> None:
    wait = FIRST_WAIT
    while True:
        try:
            await asyncio.to_thread(registry.lookup, schema_id)
        except ContractError:
            return  # decoding raises it again, for each record that has this id
        except UnavailableError as error:
            if wait == FIRST_WAIT:
                log.warning("%s; waiting for it", error)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)
        else:
            return
