"""Tuning of Python's cyclic garbage collector: it rarely scans, because a worker's state contains no garbage.

Reference counting frees nearly all objects. The cyclic collector exists for objects that refer to each other in a
circle. A full collection scans all live objects, and nearly all of them are the worker's state: with a million
identifiers one scan stops the worker for seconds.

The young generation is large too. It holds all objects that were created since the last scan and still live, unpacked
timelines above all. Scanning it takes a quarter of a second and finds no garbage: only error paths create cycles.
"""

import gc
from typing import Final

#: Thresholds of the three generations. The young one is scanned once a million more objects were created than freed.
#: What error paths leave behind is small: a fetch is in no cycle (tests/unit/streams/runtime/test_cycles.py). The older
#: two are not scanned again before the next rebalance.
THRESHOLDS: Final = (1_000_000, 1_000, 1_000)


def raise_gc_thresholds() -> None:
    """Make collections of the young generation rare, and full collections rarer still. Call it once, at the start."""
    gc.set_threshold(*THRESHOLDS)


def freeze_live_objects(*, dropped: bool) -> None:
    """Exclude all objects that live now, restored state above all, from future scans. Call it when recovery ends.

    `dropped`: state was released since the last call and may have left cycles. A full collection frees them first.
    """
    if dropped:
        gc.unfreeze()
        gc.collect()
    gc.freeze()
