"""A worker that is slow, or has a bug, while a file in ALERTS_DIR says so: `slow-AGENT` or `bug`."""

import asyncio
import os
from pathlib import Path
from typing import Any

from deploy.cli import worker
from streams.identity.state import IdentityState
from streams.journeys.partition import JourneyPartition
from streams.runtime.transaction import FetchTransaction
from streams.stitch.agent import Stitch
from streams.stitch.native_stitch import NativeStitch
from streams.stitch.stitching import StitchState

DIR = Path(os.environ["ALERTS_DIR"])
#: Seconds that stitch takes more for each record that it publishes: it falls ever further behind.
A_RECORD = 0.05
#: Seconds that a fetch of another agent takes more: it is late, and keeps up.
A_FETCH = {IdentityState: ("slow-identity", 0.6), JourneyPartition: ("slow-journeys", 1.5)}


def main() -> None:
    """Run a worker with these weaknesses."""
    leave, accept, take = FetchTransaction.__aexit__, Stitch.accept, NativeStitch.take

    async def slow(self: FetchTransaction[Any], *error: Any) -> None:
        if isinstance(self.state, StitchState) and (DIR / "slow-stitch").exists():
            await asyncio.sleep(A_RECORD * sum(map(len, self.outputs.records.values())))
        name, seconds = A_FETCH.get(type(self.state), ("", 0.0))
        if name and (DIR / name).exists():
            await asyncio.sleep(seconds)
        await leave(self, *error)

    def wrong(self: Stitch, record: Any, *more: Any) -> Any:
        if (DIR / "bug").exists():
            raise KeyError("a bug that a test has put in")
        return accept(self, record, *more)

    def nothing_natively(self: NativeStitch, records: Any, *more: Any) -> Any:
        return [None] * len(records) if (DIR / "bug").exists() else take(self, records, *more)

    FetchTransaction.__aexit__ = slow  # type: ignore[method-assign]
    Stitch.accept = wrong  # type: ignore[method-assign]
    NativeStitch.take = nothing_natively  # type: ignore[method-assign]
    worker.command()


if __name__ == "__main__":
    main()
