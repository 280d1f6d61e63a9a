"""Who is next: the pending messages of each person in order, and of each endpoint the person who is due first."""

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from itertools import count

from sinks.webhooks.message import Key, Message, Person


class Queues:
    """Of one outbox. A person is in the heap of its endpoint while it has a message and none of them is being tried."""

    def __init__(self, endpoints: Iterable[str]) -> None:
        self._waiting: dict[Person, dict[Key, Message]] = {}
        self._heaps: dict[str, list[tuple[int, int, Person]]] = {name: [] for name in endpoints}
        self._busy: set[Person] = set()
        self._ties = count()

    def enqueue(self, message: Message) -> None:
        """Put a message behind all others of its person."""
        self._waiting.setdefault(message.key.person, {})[message.key] = message
        self.schedule(message.key.person)

    def leave(self, message: Message) -> None:
        """Take a message out, if it is in."""
        waiting = self._waiting.get(message.key.person)
        if waiting is not None and waiting.pop(message.key, None) is not None and not waiting:
            del self._waiting[message.key.person]

    def claim(self, endpoint: str, now: int, may: Callable[[Key], bool]) -> Message | None:
        """The message of an endpoint that is due first, if one is due. Its person is busy until `release`.

        A message that `may` refuses is left out: `schedule` its person once it may be tried.
        """
        heap = self._heaps[endpoint]
        while heap and heap[0][0] <= now:
            _, _, person = heappop(heap)
            head = self._head(person)
            if head is None or person in self._busy or not may(head.key):
                continue
            if head.due_at <= now:
                self._busy.add(person)
                return head
            self.schedule(person)
        return None

    def release(self, person: Person) -> None:
        """The person's next message may be claimed."""
        self._busy.discard(person)
        self.schedule(person)

    def schedule(self, person: Person) -> None:
        """Put a person into the heap of its endpoint, unless it is busy, or the endpoint is not configured any more."""
        head = self._head(person)
        if head is not None and person not in self._busy and person.endpoint in self._heaps:
            heappush(self._heaps[person.endpoint], (head.due_at, next(self._ties), person))

    def due_at(self, endpoint: str) -> int | None:
        """When the next message of an endpoint may be due, UTC ms; None if none waits."""
        heap = self._heaps[endpoint]
        return heap[0][0] if heap else None

    def pending(self) -> dict[str, tuple[int, int]]:
        """Endpoint → how many messages wait, and when the oldest of them happened."""
        found: dict[str, tuple[int, int]] = {}
        for person, waiting in self._waiting.items():
            number, oldest = found.get(person.endpoint, (0, 1 << 62))
            times = (message.happened_at for message in waiting.values())
            found[person.endpoint] = number + len(waiting), min(oldest, *times)
        return found

    def _head(self, person: Person) -> Message | None:
        waiting = self._waiting.get(person)
        return next(iter(waiting.values())) if waiting else None
