"""What every task of an event loop waits for, as text: for a process that stands still and does not say why."""

import asyncio
from collections.abc import Iterator
from typing import Any


def task_dump(loop: asyncio.AbstractEventLoop) -> str:
    """One line for each task: its name, and where each of its coroutines stands, the outermost first."""
    return "\n".join(
        f"{task.get_name()}: {' > '.join(_places(task.get_coro())) or 'not begun'}"
        for task in sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    )


def _places(awaited: Any) -> Iterator[str]:
    """Where a coroutine stands, and what it awaits, down to a future."""
    while awaited is not None:
        frame = next(
            (found for name in ("cr", "gi", "ag") if (found := getattr(awaited, f"{name}_frame", None))), None
        )
        if frame is not None:
            yield f"{frame.f_code.co_qualname} ({frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno})"
        awaited = next(
            (found for name in ("cr", "gi", "ag") if (found := getattr(awaited, f"{name}_await", None))),
            getattr(awaited, "gi_yieldfrom", None),
        )
