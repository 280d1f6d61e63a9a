"""Faust's flow control with an idempotent `resume`.

Faust resumes the flow twice after a rebalance: before it reads the changelogs, and after it has read them. Each
`resume` empties the agents' queues. The consumer may seek and read input partitions before the second `resume`, which
would drop those fetches. This worker would never read them again, because its position has moved past them.

Fetches from before the rebalance need no emptying: they carry an older generation, and the agents skip them.
"""

from mode.utils.queues import FlowControlEvent


class IdempotentFlow(FlowControlEvent):  # type: ignore[misc]  # mode is not followed
    """Flow control for which resuming an active flow changes nothing."""

    def resume(self) -> None:
        """Let producers put into the queues. After a suspension, the queues are emptied first."""
        if not self.is_active():
            super().resume()
