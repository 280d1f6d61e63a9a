"""Garbage collection without long pauses: what a worker keeps is no garbage, so nobody needs to look through it.

Python frees nearly everything at once, by counting references; its collector exists for objects that refer to each
other in a circle. Every so often it looks through all objects there are, and a worker's state is mostly that: with a
million identifiers such a look takes seconds, in which nothing else happens.

Young objects are not few either: whatever was made since the last look and is still there, timelines that were unpacked
above all. A look through them takes a quarter of a second, and none of them is garbage: a worker's own work leaves no
circles, only what goes wrong does.
"""

import gc
from typing import Final

#: Young objects are looked through when a million more were made than freed: circles take some 100 MB at most, and
#: what comes and goes with a fetch does not count. Older ones are not looked through again before partitions move.
THRESHOLDS: Final = (1_000_000, 1_000, 1_000)


def calm_down() -> None:
    """Look through young objects rarely, through everything almost never. Call it once, at the start."""
    gc.set_threshold(*THRESHOLDS)


def keep_state(*, dropped: bool) -> None:
    """Take what exists now, restored state above all, out of all future looks; call it when recovery ends.

    `dropped`: state was let go since the last time, which may have left circles. They are freed first.
    """
    if dropped:
        gc.unfreeze()
        gc.collect()
    gc.freeze()
