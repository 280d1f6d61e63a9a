"""Garbage collection without long pauses: what a worker keeps is no garbage, so nobody needs to look through it.

Python frees nearly everything at once, by counting references; its collector exists for objects that refer to each
other in a circle. Every so often it looks through all objects there are, and a worker's state is mostly that: with a
million identifiers such a look takes seconds, in which nothing else happens.
"""

import gc
from typing import Final

#: Young objects are looked through after so many more were made than freed; ten such looks later those that
#: survived once, and a thousand of those later (half a billion objects) everything that is not frozen.
THRESHOLDS: Final = (50_000, 10, 1_000)


def calm_down() -> None:
    """Look through young objects as before, through everything almost never. Call it once, at the start."""
    gc.set_threshold(*THRESHOLDS)


def keep_state(*, dropped: bool) -> None:
    """Take what exists now, restored state above all, out of all future looks; call it when recovery ends.

    `dropped`: state was let go since the last time, which may have left circles. They are freed first.
    """
    if dropped:
        gc.unfreeze()
        gc.collect()
    gc.freeze()
