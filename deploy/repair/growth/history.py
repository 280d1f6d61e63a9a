"""What the workers' changelogs know of the past, as records for another generation of topics.

Evidence and corrections come from identity's changelog: they are older than any retention. Touchpoints come from that
of journeys, which has all within the horizon. All of it is prepared again, so another policy may take effect.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from deploy.ingest.publisher import message
from deploy.repair.dead_letters.reading import records
from schemas.catalogue import Catalogue
from schemas.encoding.record_types import IDENTITY_CORRECTION, IDENTITY_LINK, RESOLVED_TOUCHPOINT
from schemas.errors import ContractError
from schemas.keys import tenant_key
from schemas.settings import Settings
from schemas.topics import IDENTITY_CHANGELOG, IDENTITY_LINKS, JOURNEYS_CHANGELOG, TOUCHPOINTS, Topic
from streams.identity.policy.policy import IdentityPolicy
from streams.identity.resolution.ownership import node_of
from streams.journeys.changelog_keys import Kind, parse

#: Topic, key and value of a record to send to the next generation.
Copy = tuple[Topic, bytes, bytes]
_CORRECTION: Final = b"!"
_EVIDENCE: Final = b"~"


@dataclass
class Copied:
    """What was found."""

    corrections: int = 0
    links: int = 0
    touchpoints: int = 0
    blocked: int = 0  #: links and touchpoints that have no usable identifier under the policy
    #: identifiers with touchpoints beyond the horizon: of those only sums are in Kafka, which cannot be copied
    summed: int = 0
    retracted: int = 0  #: states and signals of the old generation that the new one never had
    followed: int = 0  #: records of topics that were copied as they came


def history(
    settings: Settings, policy: IdentityPolicy, catalogue: Catalogue, count: Copied
) -> Iterator[Copy]:
    """Corrections, evidence and touchpoints of the generation that `settings` name. Mutates `count`.

    Raises UnavailableError, and SettingsError if there is no such generation.
    """
    stored = newest(settings, IDENTITY_CHANGELOG)
    for key, value in stored.items():
        if key.startswith(_CORRECTION):
            yield from _again(IDENTITY_CORRECTION, value, policy, count)
    for key, value in stored.items():
        if key.startswith(_EVIDENCE):
            yield from _again(IDENTITY_LINK, value, policy, count)
    sent: set[bytes] = set()
    # twice: a touchpoint that changed hands during the first look may have been in neither profile
    for look in range(2):
        yield from _touchpoints(settings, policy, catalogue, count, sent, first=look == 0)


def _touchpoints(
    settings: Settings,
    policy: IdentityPolicy,
    catalogue: Catalogue,
    count: Copied,
    sent: set[bytes],
    *,
    first: bool,
) -> Iterator[Copy]:
    """The touchpoints on timelines that were not sent before. Mutates `sent`: digests of what was."""
    for key, value in newest(settings, JOURNEYS_CHANGELOG).items():
        kind = parse(key)[1]
        count.summed += first and kind is Kind.SUMMARY
        if kind is not Kind.ENTRY:
            continue
        try:
            name, encoded = message(RESOLVED_TOUCHPOINT.decode(value)["touchpoint"], policy, catalogue)
        except ContractError:
            count.blocked += first
            continue
        digest = blake2b(name + encoded, digest_size=12).digest()
        if digest not in sent:
            sent.add(digest)
            count.touchpoints += 1
            yield TOUCHPOINTS, name, encoded


def newest(settings: Settings, topic: Topic) -> dict[bytes, bytes]:
    """The newest value of each key of a compacted topic, as far as it is written now."""
    found: dict[bytes, bytes] = {}
    for record in records(settings, settings.topic(topic.name)):
        if record.value is None:
            found.pop(record.key, None)
        else:
            found[record.key] = record.value
    return found


def _again(kind: Any, value: bytes, policy: IdentityPolicy, count: Copied) -> Iterator[Copy]:
    """A link or a correction, its identifiers prepared by the policy; nothing if one of them is blocked."""
    one = kind.decode(value)
    own = policy.for_tenant(one["tenant"])
    ends = [end for end in (one["left"], one["right"]) if end is not None]
    usable = [prepared for end in ends for prepared in own.usable([end])[-1:]]
    usable.sort(key=node_of)
    if len({node_of(end) for end in usable}) < len(ends):
        count.blocked += 1
        return
    if kind is IDENTITY_LINK:
        count.links += 1
    else:
        count.corrections += 1
    one |= {"left": usable[0], "right": usable[1] if len(usable) > 1 else None}
    yield IDENTITY_LINKS, tenant_key(one["tenant"]), kind.encode(one)
