"""A worker that is slow, or has a bug, while a file in ALERTS_DIR says so: `slow-stitch`, `slow-identity` or `bug`."""

import asyncio
import os
from pathlib import Path
from typing import Any

from deploy.cli import worker
from streams.identity.state import IdentityState
from streams.runtime.transaction import FetchTransaction
from streams.stitch.agent import Stitch
from streams.stitch.stitching import StitchState

DIR = Path(os.environ["ALERTS_DIR"])
#: Seconds that a slow agent takes more: stitch for each record that it publishes, identity for each fetch.
A_RECORD, A_FETCH = 0.02, 0.6


def main() -> None:
    """Run a worker with these weaknesses."""
    leave, accept = FetchTransaction.__aexit__, Stitch.accept

    async def slow(self: FetchTransaction[Any], *error: Any) -> None:
        if isinstance(self.state, StitchState) and (DIR / "slow-stitch").exists():
            await asyncio.sleep(A_RECORD * sum(map(len, self.outputs.records.values())))
        if isinstance(self.state, IdentityState) and (DIR / "slow-identity").exists():
            await asyncio.sleep(A_FETCH)
        await leave(self, *error)

    def wrong(self: Stitch, record: Any, *more: Any) -> Any:
        if (DIR / "bug").exists():
            raise KeyError("a bug that a test has put in")
        return accept(self, record, *more)

    FetchTransaction.__aexit__ = slow  # type: ignore[method-assign]
    Stitch.accept = wrong  # type: ignore[method-assign]
    worker.command()


if __name__ == "__main__":
    main()
