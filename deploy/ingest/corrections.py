"""Publish a correction of identities: an erasure, or a link that is withdrawn."""

import uuid
from collections.abc import Sequence
from typing import Final

from kafka.errors import KafkaError

from deploy.ingest.publisher import CONNECT_MS, DELIVERY_MS, REQUEST_MS
from deploy.kafka_admin.client import broken, close_producer, producer
from deploy.kafka_admin.topics import require_topic
from schemas.encoding.record_types import IDENTITY_CORRECTION
from schemas.errors import SettingsError, UnseenError
from schemas.keys import NAME_PATTERN, partition_of, tenant_key
from schemas.records import Identifier, IdentityCorrection
from schemas.settings import Settings
from schemas.topics import IDENTITY_LINKS
from schemas.touchpoint.rules import is_type_name
from sinks.clickhouse.read.subject import Subject
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.resolution.ownership import node_of

_REQUESTS: Final = uuid.UUID("0b0f7a62-2d0e-5a54-9a86-2c1b7e3b9d11")
_SOURCE: Final = "touchline"


def identifier(text: str, tenant: str, policy: IdentityPolicy) -> Identifier:
    """What TYPE:VALUE is stored as: normalised and pseudonymised. Raises SettingsError."""
    return identifiers(text, tenant, policy)[0]


def identifiers(text: str, tenant: str, policy: IdentityPolicy) -> list[Identifier]:
    """As `identifier`: two while keys are rotated, the one under the previous key first, else one."""
    if not NAME_PATTERN.fullmatch(tenant):
        raise SettingsError(f"{tenant!r} is no tenant: a name holds 1 to 64 letters, digits, dots, _ and -")
    kind, colon, value = text.partition(":")
    if not (colon and value and is_type_name(kind)):
        raise SettingsError(f"{text!r} is no identifier: write TYPE:VALUE, like email:ann@shop.de")
    usable = policy.for_tenant(tenant).usable([Identifier(type=kind, value=value)])
    if not usable:
        raise SettingsError(
            f"{text!r} is blocked by the policy: it stands for nobody, so nothing is kept of it"
        )
    return usable


def require_seen(subject: Subject, asked: str, tenant: str, known_as: Sequence[Identifier]) -> None:
    """Raise UnseenError if ClickHouse holds nothing of these identifiers; `asked` is how the user wrote them."""
    if not subject.seen([node_of(one) for one in known_as]):
        raise UnseenError(
            f"{asked} was never seen in tenant {tenant!r}, or was erased: check its spelling and --tenant"
        )


def erasure(tenant: str, one: Identifier, until: int) -> IdentityCorrection:
    """Forget an identifier up to an event time (UTC ms). The same request has the same id."""
    return _correction(tenant, one, None, until)


def withdrawal(tenant: str, one: Identifier, other: Identifier, until: int) -> IdentityCorrection:
    """Withdraw the link between two different identifiers up to an event time (UTC ms)."""
    left, right = sorted((one, other), key=node_of)
    return _correction(tenant, left, right, until)


def publish_correction(correction: IdentityCorrection, settings: Settings) -> None:
    """Return once the broker has it. Raises UnavailableError or SettingsError."""
    topic, key = settings.topic(IDENTITY_LINKS.name), tenant_key(correction["tenant"])
    partition = partition_of(key, require_topic(settings, topic))
    sender = producer(
        settings, "touchline-correct", bootstrap_timeout_ms=CONNECT_MS, max_block_ms=CONNECT_MS,
        request_timeout_ms=REQUEST_MS, delivery_timeout_ms=DELIVERY_MS,
    )  # fmt: skip
    try:
        sent = sender.send(topic, key=key, value=IDENTITY_CORRECTION.encode(correction), partition=partition)
        sent.get(timeout=DELIVERY_MS / 1000)
    except KafkaError as error:
        raise broken(settings.brokers, error) from error
    finally:
        close_producer(sender, 5)


def _correction(tenant: str, left: Identifier, right: Identifier | None, until: int) -> IdentityCorrection:
    kind = "unlink" if right else "forget"
    ends = [*node_of(left), *(node_of(right) if right else ())]
    request = uuid.uuid5(_REQUESTS, "\x1f".join((tenant, *ends, str(until))))
    return IdentityCorrection(
        tenant=tenant, kind="UNLINK" if right else "ERASE", left=left, right=right, occurred_at=until,
        event_id=f"{kind}-{request}", source=_SOURCE,
    )  # fmt: skip
