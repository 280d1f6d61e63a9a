"""Kafka keys and partitions: the same for every producer, so that related records meet on one worker.

A key reads `tenant/type:value`, `tenant/profile`, `tenant/account` or `tenant`. Partitions are Kafka's default for
keyed records (murmur2 of the key, sign bit cleared, modulo the partition count), so any standard client agrees.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from schemas.murmur2 import murmur2
from schemas.records import Identifier

#: Tenants and identifier types stand unescaped in keys, so their alphabet is closed.
NAME_PATTERN: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")

#: A UUID in the one form that Touchline writes (RFC 9562, lower case), and none that is all zeros: another spelling
#: would be another person upstream and the same one in ClickHouse, whose UUID of zeros says that there is none.
_UUID: Final = re.compile(
    r"(?!00000000-0000-0000-0000-000000000000)[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)


def identifier_key(tenant: str, identifier: Identifier) -> bytes:
    """Key of touchpoints (by strongest identifier) and identity-assignments."""
    return f"{tenant}/{identifier['type']}:{identifier['value']}".encode()


def profile_key(tenant: str, profile_id: str) -> bytes:
    """Key of profile-changes, journey-inputs, journey-states and journey-signals."""
    return f"{tenant}/{profile_id}".encode()


def account_key(tenant: str, account_id: str) -> bytes:
    """Key of account-inputs and account-states."""
    return f"{tenant}/{account_id}".encode()


def tenant_key(tenant: str) -> bytes:
    """Key of identity-links: one total order of decisions per tenant."""
    return tenant.encode()


def is_uuid(text: str) -> bool:
    """Whether a text is an id of a profile, change or signal as Touchline writes it: a UUID in lower case, not nil."""
    return _UUID.fullmatch(text) is not None


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a keyed record: `toPositive(murmur2(key)) % partitions` (Kafka, BuiltInPartitioner)."""
    return _partition[0](key, partitions)


@lru_cache(maxsize=65536)
def _partition_by_python(key: bytes, partitions: int) -> int:
    return (murmur2(key) & 0x7FFFFFFF) % partitions


_partition: Final[list[Callable[[bytes, int], int]]] = [_partition_by_python]


def find_partitions_by(native: Callable[[bytes, int], int] | None) -> None:
    """Let `partition_of` ask this function in this process, which must give the same; None for Python."""
    _partition[0] = native or _partition_by_python
