"""The outbox of one partition: what each endpoint is to be told, in order per person, and what it has confirmed.

It is a pure state machine. Whoever drives it writes `drain()` to the changelog before anything counts as done. A
message is about one subject (a signal): it tells the newest status, and a status that holds no longer is not told any
more. So an endpoint that was never tried learns neither of a signal that was raised and retracted meanwhile, nor of its
retraction; one that may have got the raise gets the retraction, and in between nothing that is out of date.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from schemas.records import WebhookDelivery, WebhookMessage, WebhookOutcome, WebhookRequest, WebhookStatus
from sinks.webhooks.deliveries import delivery_of
from sinks.webhooks.endpoints import DAY_MS, Endpoint
from sinks.webhooks.message import MAX_REACHED, Attempt, Key, Message, Notice, Person, webhook_id
from sinks.webhooks.queues import Queues
from sinks.webhooks.verdicts import Reason, Verdict

#: How long a settled message is remembered if nothing stands: a topic may repeat a signal, and caps look back, so long.
REMEMBER_MS: Final = 30 * DAY_MS


class Outbox:
    """The messages of one partition. Every method mutates it; times are UTC milliseconds."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = endpoints
        self._messages: dict[Key, Message] = {}
        self._of_person: dict[Person, set[Key]] = {}
        self._queues = Queues(endpoints)
        self._sequence = 0
        self._changed: dict[Key, None] = {}
        self._unwritten: set[Key] = set()  #: asked for since the last `drain`
        self._writing: set[Key] = set()  #: asked for before it, and not `written` yet
        self._log: list[WebhookDelivery] = []

    def __len__(self) -> int:
        return len(self._messages)

    def restore(self, records: Iterable[WebhookMessage]) -> None:
        """Take over what the changelog has, into an empty outbox."""
        messages = sorted((Message.of(record) for record in records), key=lambda one: one.sequence)
        for message in messages:
            self._put(message)
            if message.pending:
                self._queues.enqueue(message)
        self._sequence = messages[-1].sequence if messages else 0

    def take(self, notice: Notice, endpoint: Endpoint, *, wanted: bool, now: int) -> None:
        """Note what happened for one endpoint. `wanted`: whether the endpoint asks for such notices.

        An endpoint that knows of a signal learns of its retraction, whatever it asks for now. A notice that was taken
        before, or is older than what was taken, changes nothing. The first value of a field is remembered, not told.
        """
        key = Key(Person(endpoint.name, notice.tenant, notice.profile_id), notice.subject)
        known = self._messages.get(key)
        if known is None:
            if notice.is_change:
                self._adopt(self._put(self._new(key, notice)), notice, now)
            elif wanted and not notice.takes_back:
                self._ask(self._put(self._new(key, notice)), notice, endpoint, now)
        elif notice.version >= known.version:
            if notice.wanted == known.wanted:
                if notice.version > known.version:
                    known.version = notice.version
                    self._changed[key] = None
            elif wanted or notice.takes_back:
                self._ask(known, notice, endpoint, now)
            elif notice.is_change:
                self._adopt(known, notice, now)

    def claim(self, endpoint: str, now: int) -> Message | None:
        """The message that is to be tried next, if one is due. Its person is busy until `release`."""
        return self._queues.claim(
            endpoint, now, lambda key: key not in self._unwritten and key not in self._writing
        )

    def due_at(self, endpoint: str) -> int | None:
        """When the next message of an endpoint may be due; None if none waits."""
        return self._queues.due_at(endpoint)

    def begin(self, message: Message, now: int) -> Attempt:
        """An attempt of a claimed message begins."""
        message.attempts += 1
        if message.first_at is None:
            message.first_at = now
        message.attempting = Attempt(
            message.webhook_id, message.kind, message.wanted, message.version, message.happened_at,
            message.payload, message.attempts, now, message.takes_back,
        )  # fmt: skip
        return message.attempting

    def finish(self, message: Message, attempt: Attempt, verdict: Verdict, *, now: int, next_at: int) -> None:
        """An attempt has ended. `next_at`: when to try again, if it failed and may be tried again."""
        message.attempting = None
        if verdict.confirmed:
            message.told, message.unsure, message.unsure_id = attempt.wanted, "", ""
        elif verdict.unsure:
            message.unsure, message.unsure_id = attempt.wanted, attempt.webhook_id
        if (verdict.confirmed or verdict.unsure) and not attempt.takes_back:
            self._reach(message, attempt)
        outcome: WebhookOutcome = "DELIVERED" if verdict.confirmed else "RETRY"
        reason = "" if verdict.reason is None else verdict.reason.value
        if message.webhook_id == attempt.webhook_id:
            outcome, reason = self._decide(message, verdict, reason, now, next_at)
        self._note(message, attempt, outcome, reason, verdict, now)
        if message.webhook_id != attempt.webhook_id and message.pending and not message.needed:
            self._settle(message, "SUPERSEDED", "", now)
            self._log_decision(message, "SUPERSEDED", "", now)
        self._changed[message.key] = None

    def withhold(self, message: Message, reason: Reason, now: int) -> None:
        """A rule forbids a claimed message: it is not told, now or later."""
        self._settle(message, "WITHHELD", reason.value, now)
        self._log_decision(message, "WITHHELD", reason.value, now)

    def kill(self, message: Message, reason: Reason, now: int) -> None:
        """A claimed message is given up without an attempt."""
        self._settle(message, "DEAD", reason.value, now)
        self._log_decision(message, "DEAD", reason.value, now)

    def postpone(self, message: Message, until: int) -> None:
        """A claimed message must wait: that is no attempt, and nothing is written."""
        message.due_at = until

    def release(self, person: Person) -> None:
        """The person's next message may be claimed."""
        self._queues.release(person)

    def revive(self, request: WebhookRequest, now: int) -> bool:
        """Try a dead message again. Returns whether there was one; another one in its place is left alone."""
        person = Person(request["endpoint"], request["tenant"], request["profile_id"])
        message = self._messages.get(Key(person, request["subject"]))
        if message is None or message.status != "DEAD" or message.webhook_id != request["webhook_id"]:
            return False
        message.status, message.reason, message.settled_at = "PENDING", "", None
        message.first_at, message.due_at = None, now
        message.sequence = self._sequence = self._sequence + 1
        self._unwritten.add(message.key)
        self._queues.enqueue(message)
        self._changed[message.key] = None
        return True

    def gone(self, tenant: str, profile_id: str, version: int, now: int) -> None:
        """A person has no state any more as of a version: values of its fields are neither remembered nor told."""
        for name in self._endpoints:
            for key in list(self._of_person.get(Person(name, tenant, profile_id), ())):
                message = self._messages[key]
                if message.is_change and message.version < version:
                    if message.pending and not message.attempting:
                        self._log_decision(message, "SUPERSEDED", "", now)
                    self._queues.leave(message)
                    self._forget(message)

    def forget(self, now: int) -> None:
        """Drop what was settled long ago and what the endpoint need not be told about any more."""
        for message in list(self._messages.values()):
            settled = message.settled_at
            if message.pending or message.attempting or settled is None:
                continue
            # a retraction that was given up, or that the endpoint does not want, ends the signal all the same
            stands = not message.takes_back and (
                message.is_change or bool(message.unsure_id) or message.told not in ("", "RETRACTED")
            )
            if not stands and settled < now - REMEMBER_MS:
                self._forget(message)

    def reached(self, message: Message, since: int) -> int:
        """How many other messages may have told the endpoint about the same person since a time, retractions apart."""
        mine = message.first_at if message.first_at is not None else 1 << 62
        return sum(
            1
            for key in self._of_person.get(message.key.person, ())
            for at in self._messages[key].reached
            if at > since and (key != message.key or at < mine)
        )

    def drain(self) -> tuple[list[tuple[Key, WebhookMessage | None]], list[WebhookDelivery]]:
        """What changed since the last call: records of the changelog (None: forgotten), and of the log."""
        changed = [
            (key, self._messages[key].record() if key in self._messages else None) for key in self._changed
        ]
        log = self._log
        self._changed, self._log = {}, []
        self._writing |= self._unwritten
        self._unwritten = set()
        return changed, log

    def written(self) -> None:
        """What the last `drain` gave is in the changelog: now its messages may be claimed.

        Before, an attempt that a crash follows would leave no trace, and a retraction might not be told after it.
        """
        keys, self._writing = self._writing, set()
        for person in {key.person for key in keys}:
            self._queues.schedule(person)

    def pending(self) -> dict[str, tuple[int, int]]:
        """Endpoint → how many messages wait, and when the oldest of them happened."""
        return self._queues.pending()

    def _new(self, key: Key, notice: Notice) -> Message:
        return Message(
            key=key, kind=notice.kind, wanted="", version=notice.version, webhook_id="", sequence=0,
            happened_at=notice.happened_at, due_at=0, payload=b"",
        )  # fmt: skip

    def _adopt(self, message: Message, notice: Notice, now: int) -> None:
        """Remember a value that is not told: the first one that is seen, and one that the endpoint does not ask for."""
        if message.pending and message.wanted and not message.attempting:
            self._log_decision(message, "SUPERSEDED", "", now)
        message.wanted = message.told = notice.wanted
        message.version, message.unsure, message.unsure_id = notice.version, "", ""
        message.webhook_id = webhook_id(message.key, notice.wanted, notice.version)
        self._settle(message, "DELIVERED", "", now)

    def _ask(self, message: Message, notice: Notice, endpoint: Endpoint, now: int) -> None:
        """Let a message tell what the notice says, after all that the person's other messages tell."""
        self._queues.leave(message)
        if message.pending and message.wanted and not message.attempting:
            self._log_decision(message, "SUPERSEDED", "", now)
        message.kind, message.wanted, message.version = notice.kind, notice.wanted, notice.version
        unsure, unsure_id = message.last_unsure
        again = unsure_id and unsure == notice.wanted  # the endpoint may know this id: it can tell the repeat
        message.webhook_id = unsure_id if again else webhook_id(message.key, notice.wanted, notice.version)
        message.sequence = self._sequence = self._sequence + 1
        message.happened_at, message.due_at = notice.happened_at, now
        message.payload, message.attempts, message.first_at = notice.payload, 0, None
        message.status, message.reason, message.settled_at = "PENDING", "", None
        if not message.needed or (message.takes_back and not endpoint.retractions):
            self._settle(message, "SUPERSEDED", "", now)
        else:
            self._unwritten.add(message.key)
            self._queues.enqueue(message)
        self._changed[message.key] = None

    def _decide(
        self, message: Message, verdict: Verdict, reason: str, now: int, next_at: int
    ) -> tuple[WebhookOutcome, str]:
        if verdict.confirmed:
            self._settle(message, "DELIVERED", "", now)
            return "DELIVERED", ""
        endpoint = self._endpoints[message.key.person.endpoint]
        started = message.first_at if message.first_at is not None else now
        if verdict.final:
            self._settle(message, "DEAD", reason, now)
        elif next_at - started > endpoint.retries.give_up_ms:
            reason = Reason.EXPIRED.value
            self._settle(message, "DEAD", reason, now)
        else:
            message.due_at = next_at
            return "RETRY", reason
        return "DEAD", reason

    def _reach(self, message: Message, attempt: Attempt) -> None:
        """Note when a message reached the endpoint: once, however often it is tried."""
        current = message.webhook_id == attempt.webhook_id
        first_at = message.first_at if current and message.first_at is not None else attempt.began
        before = [at for at in message.reached if at < first_at]
        message.reached = [*before, attempt.began][-MAX_REACHED:]

    def _settle(self, message: Message, status: WebhookStatus, reason: str, now: int) -> None:
        self._queues.leave(message)
        message.status, message.reason, message.settled_at = status, reason, now
        if status != "DEAD":
            message.payload = b""
        self._changed[message.key] = None

    def _log_decision(self, message: Message, outcome: WebhookOutcome, reason: str, now: int) -> None:
        """Log what became of a message without an attempt; it counts as one, so that no attempt's row is replaced."""
        decision = Attempt(
            message.webhook_id, message.kind, message.wanted, message.version, message.happened_at, b"",
            message.attempts + 1, now, message.takes_back,
        )  # fmt: skip
        self._note(message, decision, outcome, reason, Verdict(None), now)

    def _note(
        self,
        message: Message,
        attempt: Attempt,
        outcome: WebhookOutcome,
        reason: str,
        verdict: Verdict,
        now: int,
    ) -> None:
        next_at = message.due_at if outcome == "RETRY" and message.pending else None
        self._log.append(delivery_of(message.key, attempt, outcome, reason, verdict, now, next_at))

    def _put(self, message: Message) -> Message:
        self._messages[message.key] = message
        self._of_person.setdefault(message.key.person, set()).add(message.key)
        return message

    def _forget(self, message: Message) -> None:
        person = message.key.person
        del self._messages[message.key]
        self._of_person[person].discard(message.key)
        if not self._of_person[person]:
            del self._of_person[person]
        self._changed[message.key] = None
