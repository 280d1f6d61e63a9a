"""The records of `schemas/avro/` as Python types, which the codec returns and encodes. Times are UTC milliseconds."""

from typing import Any, Literal, TypeAlias, TypedDict

Record: TypeAlias = dict[str, Any]

#: The JSON form of an Avro schema: a name, a list of branches or an object.
AvroSchema: TypeAlias = Any

LinkKind: TypeAlias = Literal["OBSERVED", "ASSERTED"]
ConsentDecision: TypeAlias = Literal["GRANTED", "DENIED", "REVOKED"]
CorrectionKind: TypeAlias = Literal["ERASE", "UNLINK"]
ProfileChangeKind: TypeAlias = Literal["MERGED", "SPLIT", "ERASED"]
SignalStatus: TypeAlias = Literal["RAISED", "RETRACTED"]
SignalReason: TypeAlias = Literal["CONTRADICTED", "MOVED", "ERASED", "LET_GO"]
ExpectationStatus: TypeAlias = Literal["OPEN", "MISSED", "MET"]
WebhookStatus: TypeAlias = Literal["PENDING", "DELIVERED", "WITHHELD", "SUPERSEDED", "DEAD"]
WebhookOutcome: TypeAlias = Literal["DELIVERED", "RETRY", "WITHHELD", "SUPERSEDED", "DEAD"]


class Identifier(TypedDict):
    """One way to recognise somebody within a tenant."""

    type: str
    value: str


class Score(TypedDict):
    """A survey answer."""

    kind: Literal["NPS", "CSAT", "CES"]
    value: float


class Touchpoint(TypedDict):
    """One contact between a person and the company; fields are documented in Touchpoint.avsc."""

    tenant: str
    event_id: str
    occurred_at: int
    received_at: int
    source: str
    channel: str
    type: str
    identifiers: list[Identifier]
    account_id: str | None
    session_id: str | None
    issue_id: str | None
    order_id: str | None
    campaign: str | None
    amount_minor: int | None
    currency: str | None
    sentiment: float | None
    score: Score | None
    consent: dict[str, ConsentDecision]
    experiments: dict[str, str]
    link: LinkKind
    attributes: dict[str, str]


class IdentityLink(TypedDict):
    """Evidence that two identifiers are one person's."""

    tenant: str
    left: Identifier
    right: Identifier
    occurred_at: int
    kind: LinkKind
    event_id: str
    source: str


class IdentityCorrection(TypedDict):
    """A correction of evidence up to an event time: an erasure, or a withdrawn link."""

    tenant: str
    kind: CorrectionKind
    left: Identifier
    right: Identifier | None
    occurred_at: int
    event_id: str
    source: str


class AssignmentCorrection(TypedDict):
    """The effect of corrections on an identifier's evidence; fields are documented in IdentityAssignment.avsc."""

    version: int
    erased_at: int | None
    cuts: list[int]


class IdentityAssignment(TypedDict):
    """The owner of an identifier, and the decision that assigned it."""

    tenant: str
    identifier: Identifier
    profile_id: str
    contested_from: int | None
    contested_profile_id: str | None
    version: int
    event_id: str
    occurred_at: int
    correction: AssignmentCorrection | None


class ProfileChanged(TypedDict):
    """Profiles merged, split or erased, and why."""

    tenant: str
    change_id: str
    kind: ProfileChangeKind
    profile_id: str
    others: list[str]
    rule: str
    event_id: str
    occurred_at: int
    version: int


class ResolvedTouchpoint(TypedDict):
    """A touchpoint with its owner, on journey-inputs."""

    identifier: Identifier
    profile_id: str
    version: int
    touchpoint: Touchpoint


class Move(TypedDict):
    """Tells a profile that an identifier changed hands, on journey-inputs."""

    profile_id: str
    assignment: IdentityAssignment


class FrozenSummary(TypedDict):
    """An identifier's touchpoints beyond the horizon; fields are documented in FrozenSummary.avsc."""

    identifier: Identifier
    version: int
    boundary_at: int
    boundary_event_id: str
    late: int
    seen: bytes
    folds: list[bytes]


class Transfer(TypedDict):
    """An identifier's touchpoints between two profiles, on journey-inputs."""

    profile_id: str
    from_profile_id: str
    assignment: IdentityAssignment
    touchpoints: list[Touchpoint]
    frozen: FrozenSummary | None


class Erase(TypedDict):
    """A Move of an identifier whose touchpoints were erased, on journey-inputs."""

    profile_id: str
    assignment: IdentityAssignment
    profile_ids: list[str]


class Session(TypedDict):
    """A visit or conversation."""

    session_id: str | None
    started_at: int
    last_at: int
    touchpoints: int


class ChannelUse(TypedDict):
    """How often, how well and when last a channel was used."""

    touchpoints: int
    inbound: int
    good: int
    bad: int
    last_at: int


class OpenIssue(TypedDict):
    """A service case that waits for its solution."""

    issue_id: str
    opened_at: int
    due_at: int
    last_contact_at: int
    contacts: int
    channels: list[str]


class Expectation(TypedDict):
    """Something the customer or the company is expected to do until a deadline."""

    kind: str
    opened_at: int
    due_at: int
    status: ExpectationStatus
    event_id: str
    issue_id: str | None


class MarketingTouch(TypedDict):
    """A marketing touch that the state shows."""

    occurred_at: int
    channel: str
    type: str
    campaign: str | None


class RecentTouchpoint(TypedDict):
    """A line of the journey's recent history."""

    event_id: str
    occurred_at: int
    channel: str
    type: str


class LikelyNext(TypedDict):
    """A probable next touchpoint of a customer."""

    type: str
    probability: float


class JourneyState(TypedDict):
    """Where one person is in their journey; fields are documented in JourneyState.avsc."""

    tenant: str
    profile_id: str
    version: int
    state_hash: str
    as_of: int
    identifiers: list[Identifier]
    account_id: str | None
    touchpoints: int
    late: int
    first_seen: int
    last_seen: int
    stage: str
    stage_since: int
    stages: dict[str, int]
    components: dict[str, int]
    sessions: int
    session: Session | None
    channels: dict[str, ChannelUse]
    last_channel: str
    preferred_channel: str | None
    channel_switches: int
    handoffs: int
    friction: float
    effort: float
    effort_answered: bool
    ouch_moments: int
    wow_moments: int
    sentiment: float | None
    sentiment_trend: float | None
    nps: float | None
    csat: float | None
    ces: float | None
    open_issues: list[OpenIssue]
    issues_solved: int
    issues_first_contact: int
    first_contact_resolution: float | None
    expectations: list[Expectation]
    carts: int
    carts_met: int
    consent: dict[str, ConsentDecision]
    orders: int
    orders_returned: int
    orders_cancelled: int
    revenue: dict[str, int]
    first_campaign: str | None
    last_campaign: str | None
    marketing_touches: int
    marketing_first: MarketingTouch | None
    marketing_last: MarketingTouch | None
    experiments: dict[str, str]
    recent: list[RecentTouchpoint]
    likely_next: list[LikelyNext]
    issue_risk: float | None
    model_version: str | None


class JourneySignal(TypedDict):
    """Something a service may act on now."""

    tenant: str
    profile_id: str
    signal_id: str
    subject_id: str
    kind: str
    status: SignalStatus
    reason: SignalReason | None
    successor: str | None
    occurred_at: int
    rule: str
    event_ids: list[str]
    details: dict[str, str]
    version: int


class SignalsPublished(TypedDict):
    """When a profile's signals were published last, in the journeys changelog."""

    version: int
    now: int
    due_at: int | None
    meanings: int


class SignalWrittenAhead(TypedDict):
    """A signal about to be raised: its event, and the encoded JourneySignal."""

    event: str
    signal: bytes


class SignalsWrittenAhead(TypedDict):
    """The signals that a publication of a profile is about to raise, in the journeys changelog."""

    now: int
    signals: list[SignalWrittenAhead]


class MemberIssue(TypedDict):
    """An open case of one member of an account."""

    issue_id: str
    opened_at: int
    last_contact_at: int
    contacts: int
    channels: list[str]


class MemberTouch(TypedDict):
    """The newest touchpoint of one member of an account."""

    event_id: str
    occurred_at: int
    channel: str
    type: str


class MemberSummary(TypedDict):
    """The part of one member's journey that its account adds up."""

    as_of: int
    stage: str
    touchpoints: int
    orders: int
    revenue: dict[str, int]
    sentiment: float | None
    friction: float
    issues_solved: int
    open_issues: list[MemberIssue]
    last_touch: MemberTouch


class AccountContribution(TypedDict):
    """One profile's part in an account, on account-inputs; without a summary it is no longer a member."""

    tenant: str
    account_id: str
    profile_id: str
    version: int
    summary: MemberSummary | None


class AccountIssue(TypedDict):
    """A case that is open with at least one member of an account."""

    issue_id: str
    opened_at: int
    last_contact_at: int
    contacts: int
    channels: list[str]
    profile_ids: list[str]


class AccountTouch(TypedDict):
    """The newest touchpoint of an account, and its member."""

    event_id: str
    occurred_at: int
    channel: str
    type: str
    profile_id: str


class AccountState(TypedDict):
    """Where a business customer is: all its members' journeys; fields are documented in AccountState.avsc."""

    tenant: str
    account_id: str
    version: int
    state_hash: str
    as_of: int
    members: int
    member_ids: list[str]
    stages: dict[str, int]
    touchpoints: int
    open_issues: int
    oldest_issues: list[AccountIssue]
    issues_solved: int
    sentiment: float | None
    friction_mean: float
    friction_max: float
    orders: int
    revenue: dict[str, int]
    last_touch: AccountTouch


class Header(TypedDict):
    """A Kafka record header."""

    name: str
    value: bytes | None


class DeadLetter(TypedDict):
    """A rejected record."""

    reason: str
    error: str
    component: str
    component_version: str
    topic: str
    partition: int
    offset: int
    recorded_at: int
    key: bytes | None
    value: bytes | None
    headers: list[Header]


class WebhookMessage(TypedDict):
    """What one endpoint is to be told about one subject, in the webhooks changelog; see WebhookMessage.avsc."""

    endpoint: str
    tenant: str
    profile_id: str
    subject: str
    kind: str
    wanted: str
    told: str
    unsure: str
    unsure_id: str
    version: int
    webhook_id: str
    status: WebhookStatus
    reason: str
    attempts: int
    sequence: int
    happened_at: int
    first_at: int | None
    due_at: int
    reached: list[int]
    settled_at: int | None
    payload: bytes


class WebhookDelivery(TypedDict):
    """What became of one attempt to tell an endpoint something; fields are documented in WebhookDelivery.avsc."""

    tenant: str
    endpoint: str
    webhook_id: str
    attempt: int
    outcome: WebhookOutcome
    reason: str
    profile_id: str
    subject: str
    kind: str
    wanted: str
    version: int
    code: int | None
    answer: str
    millis: int
    happened_at: int
    attempted_at: int
    next_at: int | None


class WebhookRequest(TypedDict):
    """An operator asks to try a dead message again."""

    tenant: str
    profile_id: str
    endpoint: str
    subject: str
    webhook_id: str
    requested_at: int
