"""Sends many records through a producer, and knows that the broker has taken them."""

from typing import Any, Final

#: Seconds that the broker may need to confirm what was sent.
CONFIRM_SECONDS: Final = 60.0


class ConfirmedSender:
    """Waits for confirmations whenever `most` records lack one."""

    def __init__(self, producer: Any, most: int) -> None:
        """`producer` is a KafkaProducer, which its maker closes."""
        self._producer = producer
        self._most = most
        self._pending: list[Any] = []

    def send(self, topic: str, **record: Any) -> None:
        """Send a record, in KafkaProducer's keyword arguments. Raises KafkaError as `confirm` does."""
        self._pending.append(self._producer.send(topic, **record))
        if len(self._pending) >= self._most:
            self.confirm()

    def confirm(self) -> list[Any]:
        """Wait for every confirmation that is left; returns where the records are. Raises KafkaError."""
        self._producer.flush(timeout=CONFIRM_SECONDS)
        confirmed = [future.get(timeout=CONFIRM_SECONDS) for future in self._pending]
        self._pending.clear()
        return confirmed
