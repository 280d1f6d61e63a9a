"""Checks records of internal topics; asks the broker for the end of a topic when a version seems to be beyond it."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import UnavailableError
from schemas.internal import check_internal
from schemas.keys import tenant_key
from schemas.topics import ACCOUNT_INPUTS, IDENTITY_LINKS, JOURNEY_INPUTS
from schemas.version_bounds import VersionBounds

if TYPE_CHECKING:
    from streams.runtime.app import WorkerApp

#: The topics whose offsets are versions.
_COUNTED: Final = (IDENTITY_LINKS, JOURNEY_INPUTS, ACCOUNT_INPUTS)
#: Between two questions to the broker: forged versions must not cost one each. Meanwhile no topic grows by the slack.
LOOK_SECONDS: Final = 1.0


class InternalRecords:
    """What the agents of one worker ask of records on internal topics. `clock` counts seconds."""

    def __init__(self, app: "WorkerApp", clock: Callable[[], float] = monotonic) -> None:
        self._app = app
        self._clock = clock
        self._bounds: VersionBounds | None = None
        self._looked_at = float("-inf")
        self._lock = asyncio.Lock()

    def check(self, name: str, message: Any, record: Any) -> None:
        """Raise ContractError if a decoded record breaks a rule; AheadError if `look` may change the answer."""
        check_internal(name, message, record, self._bounds or self._new_bounds())

    def limit(self, tenant: str) -> int:
        """The first version that cannot exist yet of a tenant's assignments, as far as is known."""
        return (self._bounds or self._new_bounds()).limit(IDENTITY_LINKS, tenant_key(tenant))

    async def look(self) -> None:
        """Learn the ends of the topics whose offsets are versions. Raises UnavailableError."""
        async with self._lock:
            if self._clock() - self._looked_at >= LOOK_SECONDS:
                await self._learn_ends()

    async def _learn_ends(self) -> None:
        bounds = self._bounds or self._new_bounds()
        for topic in _COUNTED:
            name = self._app.settings.topic(topic.name)
            ends = await self._app.log_reader.ends(name, range(bounds.partitions))
            if not ends:
                raise UnavailableError(
                    f"Kafka at {self._app.settings.brokers} does not tell the end of {name}"
                )
            bounds.learn({(topic.name, partition): end for partition, end in ends.items()})
        self._looked_at = self._clock()

    def _new_bounds(self) -> VersionBounds:
        partitions = self._app.topic_partitions[self._app.settings.topic(IDENTITY_LINKS.name)]
        self._bounds = VersionBounds(self._app.settings.epoch, partitions)
        return self._bounds
