"""Every topic: its records, writers, readers and retention. `touchline topics` creates them."""

from dataclasses import dataclass
from typing import Final

DAY_MS: Final = 24 * 60 * 60 * 1000
FOR_EVER: Final = -1  #: `retention_ms` of a topic that keeps every record

#: What erasure promises of Kafka (docs/erasure.md). A topic with a retention deletes whole segments, so a record
#: outlives the retention by at most one segment. A compacted topic cleans a segment at the latest so long after its
#: oldest record; a tombstone goes some time later. A reader that is away for longer than that may miss it.
SEGMENT_MS: Final = DAY_MS
COMPACTION_LAG_MS: Final = DAY_MS
TOMBSTONE_MS: Final = DAY_MS

#: Far beyond the contract's 128 KiB a touchpoint, so that the contract refuses a large record and the broker (whose
#: default is 1 MiB) never does, nor the dead letter about it, nor what Touchline makes of many touchpoints.
MAX_MESSAGE_BYTES: Final = 2304 * 1024

#: Kafka application id and consumer group of the workers; Faust names changelog topics after it.
WORKER_GROUP: Final = "touchline-worker"
LOADER_GROUP: Final = "touchline-loader"
WEBHOOKS_GROUP: Final = "touchline-webhooks"
#: Of `touchline grow`, which copies one generation of topics into the next.
GROW_GROUP: Final = "touchline-grow"
#: How the consumer groups of the SDK's subscribers begin; the group that the subscriber names and the topic follow.
SUBSCRIBER_GROUP: Final = "touchline-subscriber-"


@dataclass(frozen=True)
class Topic:
    """One Kafka topic. `retention_ms` is None for compacted topics: they keep the newest record of each key."""

    name: str
    key: str
    values: tuple[str, ...]
    written_by: tuple[str, ...]
    read_by: tuple[str, ...]
    retention_ms: int | None = None
    #: The broker stamps its records, whoever sends them: their senders' clocks may be wrong, and the workers' too. All
    #: that goes by a record's time (the latest reception, retention) then goes by the clocks of the brokers.
    stamped: bool = False
    public: bool = False  #: subscribers outside Touchline rely on it: schema changes must be FULL_TRANSITIVE

    @property
    def compacted(self) -> bool:
        """Whether Kafka keeps the newest record of each key for ever (cleanup.policy=compact)."""
        return self.retention_ms is None

    def config(self) -> dict[str, str]:
        """The topic's Kafka configuration."""
        common = {"max.message.bytes": str(MAX_MESSAGE_BYTES)}
        if self.stamped:
            common["message.timestamp.type"] = "LogAppendTime"
        if self.retention_ms is None:
            return {
                "cleanup.policy": "compact",
                "max.compaction.lag.ms": str(COMPACTION_LAG_MS),
                "segment.ms": str(SEGMENT_MS),
                "delete.retention.ms": str(TOMBSTONE_MS),
                **common,
            }
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_ms),
            "segment.ms": str(SEGMENT_MS),
            **common,
        }


TOUCHPOINTS = Topic(
    "touchpoints", "tenant/strongest identifier", ("Touchpoint",),
    ("sources", "collector", "follow", "stitch"), ("stitch", "operator"), 7 * DAY_MS, stamped=True, public=True,
)  # fmt: skip
IDENTITY_LINKS = Topic(
    "identity-links", "tenant", ("IdentityLink", "IdentityCorrection"),
    ("stitch", "journeys", "operator"), ("identity", "loader"), 30 * DAY_MS,
)  # fmt: skip
IDENTITY_ASSIGNMENTS = Topic(
    "identity-assignments", "tenant/identifier", ("IdentityAssignment",),
    ("identity",), ("stitch", "loader", "page", "subscribers", "webhooks", "operator"), public=True,
)  # fmt: skip
PROFILE_CHANGES = Topic(
    "profile-changes", "tenant/profile", ("ProfileChanged",),
    ("identity",), ("loader", "page", "subscribers"), 30 * DAY_MS, public=True,
)  # fmt: skip
JOURNEY_INPUTS = Topic(
    "journey-inputs", "tenant/profile", ("ResolvedTouchpoint", "Move", "Transfer", "Erase"),
    ("stitch", "identity", "journeys"), ("journeys", "loader"), 7 * DAY_MS,
)  # fmt: skip
JOURNEY_STATES = Topic(
    "journey-states",
    "tenant/profile",
    ("JourneyState",),
    ("journeys",),
    ("loader", "page", "subscribers", "webhooks"),
    public=True,
)
JOURNEY_SIGNALS = Topic(
    "journey-signals", "tenant/profile", ("JourneySignal",),
    ("journeys",), ("loader", "page", "subscribers", "webhooks"), 30 * DAY_MS, public=True,
)  # fmt: skip
ACCOUNT_INPUTS = Topic(
    "account-inputs", "tenant/account", ("AccountContribution",), ("journeys",), ("accounts",), 7 * DAY_MS
)
ACCOUNT_STATES = Topic(
    "account-states", "tenant/account", ("AccountState",),
    ("accounts",), ("loader", "page", "subscribers", "webhooks"), public=True,
)  # fmt: skip
DEAD_LETTERS = Topic(
    "dead-letters", "the original key", ("DeadLetter",),
    ("stitch", "identity", "journeys", "accounts", "loader", "collector", "follow"),
    ("loader", "operator", "page"), 30 * DAY_MS,
)  # fmt: skip
#: Name of a pseudonymisation key → its check value, as text. Not compacted: the record with the lowest offset counts,
#: and compaction would keep the highest.
PSEUDONYM_KEYS = Topic(
    "pseudonym-keys",
    "key id",
    (),
    ("worker", "publish", "operator", "collector", "follow"),
    ("worker", "publish", "operator", "collector", "follow", "sources"),
    FOR_EVER,
)

#: What became of every webhook, attempt by attempt: the table webhook_deliveries.
WEBHOOK_DELIVERIES = Topic(
    "webhook-deliveries", "tenant/profile", ("WebhookDelivery",), ("webhooks",), ("loader",), 30 * DAY_MS
)
#: `touchline webhooks replay` asks the instance that has the person.
WEBHOOK_REQUESTS = Topic(
    "webhook-requests", "tenant/profile", ("WebhookRequest",), ("operator",), ("webhooks",), 7 * DAY_MS
)
#: Private to the webhooks service: its outbox. Partition for partition it belongs to journey-signals.
WEBHOOKS_CHANGELOG = Topic(
    f"{WEBHOOKS_GROUP}-changelog", "tenant/profile, endpoint and subject",
    ("WebhookMessage",), ("webhooks",), ("webhooks", "operator"),
)  # fmt: skip

#: Private to the worker: the state of each agent, replayed when a partition changes hands.
STITCH_CHANGELOG = Topic(
    f"{WORKER_GROUP}-stitch-changelog", "tenant/identifier, or the pair",
    ("IdentityAssignment", "IdentityLink"), ("stitch",), ("stitch",),
)  # fmt: skip
IDENTITY_CHANGELOG = Topic(
    f"{WORKER_GROUP}-identity-changelog", "the pair, what was corrected, or the tenant",
    ("IdentityLink", "IdentityCorrection", "IdentityAssignment", "DecidedUnder"),
    ("identity",), ("identity", "operator"),
)  # fmt: skip
JOURNEYS_CHANGELOG = Topic(
    f"{WORKER_GROUP}-journeys-changelog", "tenant/profile and event or identifier",
    ("ResolvedTouchpoint", "IdentityAssignment", "FrozenSummary", "SignalsPublished", "SignalsWrittenAhead",
     "PredictionModel"),
    ("journeys",), ("journeys", "operator"),
)  # fmt: skip
ACCOUNTS_CHANGELOG = Topic(
    f"{WORKER_GROUP}-accounts-changelog", "tenant/profile/account",
    ("AccountContribution",), ("accounts",), ("accounts",),
)  # fmt: skip

PUBLIC_PATH: Final = (
    TOUCHPOINTS,
    IDENTITY_LINKS,
    IDENTITY_ASSIGNMENTS,
    PROFILE_CHANGES,
    JOURNEY_INPUTS,
    JOURNEY_STATES,
    JOURNEY_SIGNALS,
    ACCOUNT_INPUTS,
    ACCOUNT_STATES,
    DEAD_LETTERS,
    WEBHOOK_DELIVERIES,
)
CHANGELOGS: Final = (STITCH_CHANGELOG, IDENTITY_CHANGELOG, JOURNEYS_CHANGELOG, ACCOUNTS_CHANGELOG)
ALL: Final = (*PUBLIC_PATH, PSEUDONYM_KEYS, WEBHOOK_REQUESTS, WEBHOOKS_CHANGELOG, *CHANGELOGS)
