"""Every Kafka header that Touchline writes or reads, and why nobody else's is believed.

A header on a topic that sources write may be anybody's: it decides nothing that concerns others, or is authenticated.
"""

import hmac
from typing import Final

from schemas.consumed import KafkaRecord

#: On a tombstone of a versioned topic (journey-states, account-states, identity-assignments): its version, in decimal.
#: Only workers may write these topics, and the version is bounded as any other (schemas/internal.py).
VERSION: Final = "version"
#: On a tombstone of identity-assignments: the encoded IdentityAssignment of the erased identifier. It is checked as a
#: value would be: its key, its version, and that it erases.
ASSIGNMENT: Final = "assignment"
#: On touchpoints: stitch has sent the record to its identifier's partition, and never sends it on again. Any source can
#: set it, so it decides nothing about the touchpoint: one that still is on another partition becomes a dead letter.
ROUTED: Final = "touchline-routed"
#: On records that `touchline dead-letters replay` sends again: where they first failed, as topic/partition/offset, and
#: a MAC of that. A source that claimed the place of another's record would keep that record from being replayed.
REPLAYED: Final = "touchline-replayed"

#: On a link that `touchline policy apply` sends again: the fingerprint of the rules under which everything published is
#: decided by now. Only workers and operators may write identity-links.
POLICY_APPLIED: Final = "touchline-policy-applied"

_MAC_BYTES: Final = 16


def tombstone_version(record: KafkaRecord) -> int | None:
    """The version that a tombstone carries; None if it carries none."""
    version = next((value for name, value in record.headers if name == VERSION), b"")
    return int(version) if version.isdigit() and len(version) < 20 else None


def replayed_from(place: str, secret: bytes) -> bytes:
    """The value of REPLAYED. `secret` is the deployment's pseudonymisation key; without one there is no MAC."""
    return f"{place}#{_mac(place, secret)}".encode() if secret else place.encode()


def believed_place(value: bytes, secret: bytes) -> str | None:
    """The place that a value of REPLAYED names; None if this deployment did not write it, or has no key to know."""
    place, _, mac = value.decode(errors="replace").partition("#")
    return place if secret and hmac.compare_digest(mac.encode(), _mac(place, secret).encode()) else None


def _mac(place: str, secret: bytes) -> str:
    return hmac.digest(secret, b"touchline-replayed\0" + place.encode(), "sha256")[:_MAC_BYTES].hex()
