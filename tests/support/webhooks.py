"""Builders for tests of webhooks: endpoints, notices, and a receiver that drops repeats by their webhook_id."""

from typing import Any

from schemas.encoding.record_types import JOURNEY_SIGNAL
from schemas.records import JourneyState, WebhookMessage
from sinks.webhooks.endpoints import Endpoint
from sinks.webhooks.gates import View
from sinks.webhooks.message import Attempt, Key, Message, Notice, Person, kind_of_change
from sinks.webhooks.outbox import Outbox
from sinks.webhooks.verdicts import Verdict
from tests.support.kafka_records import example

NOW = 1_767_300_000_000
CONFIRMED = Verdict(None, 200)
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def endpoint(name: str = "campaigns", **fields: Any) -> Endpoint:
    return Endpoint(
        **(
            {"name": name, "url": "https://x.example/", "tenant": "default", "signals": frozenset("*")}
            | fields
        )
    )


def notice(
    subject: str = "s1",
    wanted: str = "RAISED",
    version: int = 2,
    *,
    person: str = "p1",
    at: int = NOW,
    **fields: Any,
) -> Notice:
    signal = {
        **example("JourneySignal"), "profile_id": person, "signal_id": subject, "status": wanted, "version": version,
        "reason": None if wanted == "RAISED" else "CONTRADICTED", **fields,
    }  # fmt: skip
    return Notice(
        "default", person, subject, signal["kind"], wanted, version, at, JOURNEY_SIGNAL.encode(signal)
    )


def change(value: str, version: int, *, person: str = "p1", at: int = NOW, field: str = "stage") -> Notice:
    return Notice("default", person, field, kind_of_change(field), value, version, at, b"")


def message(subject: str = "s1", wanted: str = "RAISED", version: int = 2, **fields: Any) -> Message:
    told = notice(subject, wanted, version)
    key = Key(Person("campaigns", "default", "p1"), subject)
    return Message(
        **(
            {
                "key": key, "kind": told.kind, "wanted": wanted, "version": version, "webhook_id": "msg_1",
                "sequence": 1, "happened_at": NOW, "due_at": NOW, "payload": told.payload,
            }
            | fields
        )
    )  # fmt: skip


def state(version: int = 1, **fields: Any) -> JourneyState:
    return {**example("JourneyState"), "profile_id": "p1", "version": version, **fields}  # type: ignore[typeddict-item]


class Someone:
    """A view of people in which everybody is in the same, settable state."""

    def __init__(self, known: JourneyState | None = None, fresh_at: int = NOW) -> None:
        self.known = known
        self.fresh = fresh_at

    def fresh_at(self) -> int:
        return self.fresh

    def view(self, *_person: str) -> View:
        return View(self.known, self.fresh)


class Driven:
    """An outbox with its changelog, driven by hand: `kill` loses what was not written."""

    def __init__(self, *endpoints: Endpoint) -> None:
        self.endpoints = {one.name: one for one in endpoints or (endpoint(),)}
        self.stored: dict[Key, WebhookMessage] = {}
        self.log: list[Any] = []
        self.outbox = Outbox(self.endpoints)
        self.now = NOW

    def take(self, *notices: Notice, wanted: bool = True) -> None:
        for one in notices:
            for receiver in self.endpoints.values():
                self.outbox.take(one, receiver, wanted=wanted, now=self.now)

    def write(self) -> None:
        changes, deliveries = self.outbox.drain()
        for key, record in changes:
            if record is None:
                self.stored.pop(key, None)
            else:
                self.stored[key] = {**record, "reached": list(record["reached"])}
        self.log.extend(deliveries)
        self.outbox.written()

    def told(self, *notices: Notice) -> None:
        self.take(*notices)
        self.write()

    def kill(self) -> None:
        self.outbox = Outbox(self.endpoints)
        self.outbox.restore(self.stored.values())

    def begin(self, name: str = "campaigns") -> tuple[Message, Attempt] | None:
        claimed = self.outbox.claim(name, self.now)
        return None if claimed is None else (claimed, self.outbox.begin(claimed, self.now))

    def finish(self, begun: tuple[Message, Attempt], verdict: Verdict, pause: int = 1000) -> None:
        claimed, attempt = begun
        self.outbox.finish(claimed, attempt, verdict, now=self.now, next_at=self.now + pause)
        self.write()
        self.outbox.release(claimed.key.person)

    def deliver(self, verdict: Verdict = CONFIRMED, name: str = "campaigns") -> Attempt | None:
        """One attempt from beginning to end; None if nothing is due."""
        begun = self.begin(name)
        if begun is None:
            return None
        self.finish(begun, verdict)
        return begun[1]

    def outcomes(self) -> list[tuple[str, str]]:
        return [(one["wanted"], one["outcome"]) for one in self.log]
