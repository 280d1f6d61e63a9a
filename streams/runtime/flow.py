"""When agents are handed fetches: Faust's flow control, which empties the agents' buffers once and not twice.

Faust resumes the flow when it begins to read changelogs, and again when it has read them; each time it empties all
buffers. But the inputs' partitions are sought and read before that second time: what the consumer hands over in
between would be gone, and never come again while this worker lives. What is left from before a rebalance has an older
generation and is skipped anyway.
"""

from mode.utils.queues import FlowControlEvent


class SteadyFlow(FlowControlEvent):  # type: ignore[misc]  # mode is not followed
    """Resuming what flows already changes nothing."""

    def resume(self) -> None:
        """Let producers into the queues; after a suspension the queues begin empty."""
        if not self.is_active():
            super().resume()
