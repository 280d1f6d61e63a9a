"""Have identity decide again what a former policy decided, in bounded slices, while everything runs.

Each component that is decided otherwise than published is asked again: one of its links is sent once more. It is no new
evidence, but identity resolves the component, and publishes what a change of policy changed. A run that is killed
leaves nothing behind: the next one asks only for what still differs. Once everything was asked, each tenant gets one
link with a header that says so, and identity forgets the former rules.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from kafka import TopicPartition
from kafka.errors import KafkaError

from deploy.kafka_admin.client import broken, close_producer, connect, producer
from deploy.kafka_admin.lag import committed_offsets
from deploy.kafka_admin.sending import ConfirmedSender
from deploy.repair.policy.plan import Question
from deploy.repair.policy.reading import Reading, read
from schemas import headers
from schemas.errors import TouchlineError, UnavailableError
from schemas.keys import partition_of, tenant_key
from schemas.settings import Settings
from schemas.topics import IDENTITY_LINKS, WORKER_GROUP
from streams.identity.policy.decision_rules import DecisionRules
from streams.identity.policy.policy import IdentityPolicy

#: Questions that wait for their answers at most: what a slice delays other links by.
SLICE: Final = 500
#: Seconds without any progress of identity after which a run gives up.
STALLED_SECONDS: Final = 120.0
#: How often everything is read again: under load some decisions are under way at every look.
LOOKS: Final = 8


@dataclass
class Applied:
    """What a run did."""

    asked: int = 0  #: components
    looks: int = 0
    tenants: list[str] = field(default_factory=list)  #: whose former rules are forgotten


class Application:
    """One run. Close it, or use it as a context manager."""

    def __init__(
        self,
        settings: Settings,
        policy: IdentityPolicy,
        progress: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        """`progress` gets how many questions of how many are answered. Raises UnavailableError."""
        self._settings = settings
        self._policy = policy
        self._progress = progress
        self._topic = settings.topic(IDENTITY_LINKS.name)
        self._admin = connect(settings)
        self._producer = producer(settings, "touchline-policy-apply", linger_ms=5)
        self.done = Applied()

    def __enter__(self) -> "Application":
        return self

    def __exit__(self, *_: object) -> None:
        close_producer(self._producer, 5)
        self._admin.close()

    def run(self, reading: Reading) -> Applied:
        """Ask for what differs in a reading, and go on until nothing of it does any more.

        Raises TouchlineError if workers decide by other rules, or what was asked is not decided as it should be.
        """
        try:
            return self._run(reading)
        except KafkaError as error:
            raise broken(self._settings.brokers, error) from error

    def _run(self, reading: Reading) -> Applied:
        before: set[Any] = set()
        in_force: dict[str, int] = {}
        while True:
            self.done.looks += 1
            asked = [question for tenant in reading.tenants for question in reading.questions(tenant)]
            differing = {one for question in asked for one in question.differences}
            self._ask(asked)
            busy = {question.tenant for question in asked}
            in_force = self._settle(reading, in_force, busy)
            waiting = [tenant for tenant in reading.tenants if self._unsettled(reading, tenant)]
            persisting = before & differing
            if not persisting and not waiting and self.done.looks > 1:
                return self.done
            if self.done.looks > LOOKS:
                raise self._failed(reading, persisting, waiting)
            before = differing
            reading = read(self._settings, self._policy)

    def _settle(self, reading: Reading, in_force: dict[str, int], busy: set[str]) -> dict[str, int]:
        """Tell identity of the tenants of which all is decided by now. Returns where the new rules were seen in force.

        A tenant's reading counts if the workers decided by the new rules before it was read, and still do.
        """
        seen: dict[str, int] = {}
        for tenant in reading.tenants:
            rules, said = DecisionRules.of(self._policy, tenant), reading.decided_under(tenant)
            if said is None or said.current != rules:
                # a worker says by which rules it decides once it decides something
                self._ask_any(reading, tenant)
                continue
            seen[tenant] = reading.said_at[tenant]
            if self._unsettled(reading, tenant) and (
                tenant not in busy or in_force.get(tenant) == seen[tenant]
            ):
                self._ask_any(reading, tenant, [(headers.POLICY_APPLIED, rules.fingerprint.encode())])
                self.done.tenants.append(tenant)
        return seen

    def _unsettled(self, reading: Reading, tenant: str) -> bool:
        said = reading.decided_under(tenant)
        rules = DecisionRules.of(self._policy, tenant)
        return said is None or said.rules != (rules,)

    def _ask(self, asked: list[Question]) -> None:
        left = iter(asked)
        answered = 0
        while some := list(islice(left, SLICE)):
            self._send((question.tenant, question.link, []) for question in some)
            answered += len(some)
            self.done.asked += len(some)
            self._progress(answered, len(asked))

    def _ask_any(
        self, reading: Reading, tenant: str, with_headers: list[tuple[str, bytes]] | None = None
    ) -> None:
        link = min(reading.links[tenant].items())[1][1]
        self._send(iter([(tenant, link, with_headers or [])]))

    def _send(self, links: Iterator[tuple[str, bytes, list[tuple[str, bytes]]]]) -> None:
        """Send links, and wait until identity has decided on them."""
        # room for more than a slice: `confirm` has to return where all of them are
        sender = ConfirmedSender(self._producer, most=2 * SLICE)
        for tenant, link, with_headers in links:
            key = tenant_key(tenant)
            partition = partition_of(key, self._settings.partitions)
            sender.send(self._topic, key=key, value=link, partition=partition, headers=with_headers)
        ends: dict[int, int] = {}
        for sent in sender.confirm():
            ends[sent.partition] = max(ends.get(sent.partition, 0), sent.offset + 1)
        self._wait(ends)

    def _wait(self, ends: dict[int, int]) -> None:
        group = self._settings.topic(WORKER_GROUP)
        parts = [TopicPartition(self._topic, partition) for partition in ends]
        moved, last = time.monotonic(), -1
        while True:
            found = committed_offsets(self._admin, group, parts)
            reached = {tp.partition: offset for tp, offset in found.items()}
            if all(reached.get(partition, -1) >= end for partition, end in ends.items()):
                return
            total = sum(reached.values())
            if total != last:
                moved, last = time.monotonic(), total
            if time.monotonic() - moved > STALLED_SECONDS:
                raise UnavailableError(
                    f"identity has decided nothing for {STALLED_SECONDS:.0f} s: are the workers running?"
                    " Run the same command again later, it goes on where this one stopped"
                )
            time.sleep(0.1)

    def _failed(self, reading: Reading, persisting: set[Any], waiting: list[str]) -> TouchlineError:
        for tenant in waiting:
            said = reading.decided_under(tenant)
            if said is None or said.current != DecisionRules.of(self._policy, tenant):
                return TouchlineError(
                    f"the workers decide tenant {tenant} by other rules than this policy: start them all again with it"
                    " (TOUCHLINE_IDENTITY_POLICY), then run this again"
                )
        return TouchlineError(
            f"{len(persisting)} identifiers are still published otherwise after {self.done.looks} looks: run this again"
        )
