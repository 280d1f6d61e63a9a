"""The outbox of the webhooks service as Kafka has it: what waits, what is dead, and how to ask for it again."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from deploy.repair.dead_letters.reading import records
from deploy.repair.dead_letters.replaying import Outgoing
from schemas.encoding.record_types import WEBHOOK_MESSAGE, WEBHOOK_REQUEST
from schemas.errors import ContractError
from schemas.keys import partition_of, profile_key
from schemas.records import WebhookMessage
from schemas.settings import Settings
from schemas.topics import WEBHOOK_REQUESTS, WEBHOOKS_CHANGELOG


@dataclass(frozen=True)
class Chosen:
    """Which dead messages; None for any."""

    endpoint: str | None = None
    reason: str | None = None
    webhook_id: str | None = None
    since: int | None = None  #: UTC ms: dead since then

    def matches(self, message: WebhookMessage) -> bool:
        """Whether a message is dead and among them."""
        return (
            message["status"] == "DEAD"
            and self.endpoint in (None, message["endpoint"])
            and self.reason in (None, message["reason"])
            and self.webhook_id in (None, message["webhook_id"])
            and (self.since is None or (message["settled_at"] or 0) >= self.since)
        )


@dataclass
class Standing:
    """Where one endpoint is."""

    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)  #: of messages that are withheld or dead
    oldest: int | None = None  #: UTC ms, when the oldest pending message happened
    trying: int = 0  #: pending messages that were tried


def messages(settings: Settings) -> Iterator[WebhookMessage]:
    """Every message that the changelog holds now. Raises UnavailableError, SettingsError without the topic."""
    found: dict[tuple[int, bytes], bytes] = {}
    for record in records(settings, settings.topic(WEBHOOKS_CHANGELOG.name)):
        place = record.partition, record.key
        if record.value is None:
            found.pop(place, None)
        else:
            found[place] = record.value
    for value in found.values():
        try:
            yield WEBHOOK_MESSAGE.decode(value)
        except ContractError:
            continue  # the service leaves it out as well, and says so


def standings(found: Iterable[WebhookMessage]) -> dict[str, Standing]:
    """Endpoint → where it is."""
    standing: dict[str, Standing] = {}
    for message in found:
        one = standing.setdefault(message["endpoint"], Standing())
        one.statuses[message["status"]] += 1
        if message["reason"]:
            one.reasons[message["reason"]] += 1
        if message["status"] == "PENDING":
            one.trying += message["attempts"] > 0
            one.oldest = min(message["happened_at"], one.oldest or message["happened_at"])
    return standing


def requests(settings: Settings, dead: Iterable[WebhookMessage], now: int) -> Iterator[Outgoing]:
    """A request for each dead message, to the instance that has its person."""
    for message in dead:
        key = profile_key(message["tenant"], message["profile_id"])
        value = WEBHOOK_REQUEST.encode(
            {
                "tenant": message["tenant"],
                "profile_id": message["profile_id"],
                "endpoint": message["endpoint"],
                "subject": message["subject"],
                "webhook_id": message["webhook_id"],
                "requested_at": now,
            }
        )
        topic = settings.topic(WEBHOOK_REQUESTS.name)
        yield Outgoing(topic, partition_of(key, settings.partitions), key, value, [])
