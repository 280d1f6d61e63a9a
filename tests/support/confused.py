"""Records that a confused producer may write to internal topics: each kind of confusion of each of their records."""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, NamedTuple

from schemas import topics
from schemas.encoding.codec import encode
from schemas.keys import account_key, identifier_key, partition_of, profile_key, tenant_key
from schemas.records import Identifier
from schemas.topics import Topic
from streams.identity.resolution.definition import own_profile
from tests.support.ids import ODD_IDS, person
from tests.support.kafka_records import example
from tests.support.touchpoints import START, touchpoint

BIG = 2**63 - 1
COOKIE, CUSTOMER = Identifier(type="cookie", value="ck-1"), Identifier(type="customer_id", value="C-1")
OWN = own_profile("default", ("cookie", "ck-1"))


class Confused(NamedTuple):
    """A record, what is wrong with it, and what its producer should have written (name, message and key)."""

    topic: Topic
    kind: str
    key: bytes | None
    value: bytes | None
    partition: int
    headers: tuple[tuple[str, bytes], ...] = ()

    def __str__(self) -> str:
        return f"{self.topic.name}: {self.kind}"


def assignment(**fields: Any) -> dict[str, Any]:
    return {
        "tenant": "default", "identifier": COOKIE, "profile_id": OWN, "contested_from": None,
        "contested_profile_id": None, "version": 3, "event_id": "e", "occurred_at": START, "correction": None, **fields,
    }  # fmt: skip


ERASED = assignment(correction={"version": 3, "erased_at": START, "cuts": [START]})
#: Topic → the records that belong on it, in the order in which they may come: name, message.
VALID: dict[Topic, list[tuple[str, dict[str, Any]]]] = {
    topics.IDENTITY_LINKS: [
        ("IdentityLink", {"tenant": "default", "left": COOKIE, "right": CUSTOMER, "occurred_at": START,
                          "kind": "OBSERVED", "event_id": "e", "source": "test"}),
        ("IdentityCorrection", {"tenant": "default", "kind": "ERASE", "left": COOKIE, "right": None,
                                "occurred_at": START, "event_id": "c", "source": "test"}),
    ],
    topics.IDENTITY_ASSIGNMENTS: [("IdentityAssignment", assignment())],
    topics.JOURNEY_INPUTS: [
        ("ResolvedTouchpoint", {"identifier": COOKIE, "profile_id": OWN, "version": -1,
                                "touchpoint": touchpoint("e", ids=[("cookie", "ck-1")], account_id="ACC")}),
        ("Move", {"profile_id": OWN, "assignment": assignment()}),
        ("Erase", {"profile_id": OWN, "assignment": ERASED, "profile_ids": [OWN]}),
        ("Transfer", {"profile_id": OWN, "from_profile_id": person("p2"), "assignment": assignment(),
                      "touchpoints": [touchpoint("t", ids=[("cookie", "ck-1")])], "frozen": None}),
    ],
    topics.ACCOUNT_INPUTS: [
        ("AccountContribution", {**example("AccountContribution"), "tenant": "default", "account_id": "ACC",
                                 "profile_id": OWN, "version": 3}),
    ],
}  # fmt: skip

#: Record → where its tenant, versions, times and profiles stand.
_TENANT = {"ResolvedTouchpoint": "touchpoint.tenant", "Move": "assignment.tenant", "Erase": "assignment.tenant",
           "Transfer": "assignment.tenant"}  # fmt: skip
_VERSIONS = {
    "IdentityAssignment": ["version"], "ResolvedTouchpoint": ["version"], "Move": ["assignment.version"],
    "Erase": ["assignment.version", "assignment.correction.version"], "Transfer": ["assignment.version"],
    "AccountContribution": ["version"],
}  # fmt: skip
_TIMES = {
    "IdentityLink": ["occurred_at"], "IdentityCorrection": ["occurred_at"],
    "IdentityAssignment": ["occurred_at"], "ResolvedTouchpoint": ["touchpoint.occurred_at", "touchpoint.received_at"],
    "Move": ["assignment.occurred_at"], "Erase": ["assignment.correction.erased_at", "assignment.occurred_at"],
    "Transfer": ["touchpoints.0.occurred_at", "assignment.occurred_at"],
    "AccountContribution": ["summary.as_of", "summary.last_touch.occurred_at"],
}  # fmt: skip
_ODD = {
    "IdentityLink": {"right": COOKIE, "left.value": "a\x1fb", "left.type": "a/b", "tenant": "a/b"},
    "IdentityCorrection": {"right": CUSTOMER, "left.value": "", "kind": "UNLINK"},
    "IdentityAssignment": {"contested_from": START, "contested_profile_id": person("p2"),
                           "correction": {"version": 3, "erased_at": None, "cuts": []}},
    "ResolvedTouchpoint": {"touchpoint.sentiment": float("nan"), "touchpoint.type": "t" * 999,
                           "touchpoint.amount_minor": BIG, "identifier.value": "L" * 99_999},
    "Move": {"assignment.contested_from": START,
             "assignment.correction": {"version": -1, "erased_at": None, "cuts": [1]}},
    "Erase": {"profile_ids": [], "assignment.correction": None, "assignment.correction.erased_at": None},
    "Transfer": {"touchpoints.0.tenant": "bank"},
    "AccountContribution": {"summary.friction": float("inf"), "summary.sentiment": float("nan"),
                            "summary.touchpoints": -1, "account_id": "a" * 999},
}  # fmt: skip
#: Record → where ids of profiles, changes and signals stand.
_IDS = {
    "IdentityAssignment": ["profile_id"], "ResolvedTouchpoint": ["profile_id"],
    "Move": ["profile_id", "assignment.profile_id"], "Erase": ["profile_id", "profile_ids.0", "assignment.profile_id"],
    "Transfer": ["profile_id", "from_profile_id"], "AccountContribution": ["profile_id"],
    "JourneyState": ["profile_id"], "JourneySignal": ["profile_id", "signal_id", "subject_id", "successor"],
    "AccountState": ["member_ids.0", "oldest_issues.0.profile_ids.0", "last_touch.profile_id"],
    "ProfileChanged": ["profile_id", "change_id", "others.0"],
}  # fmt: skip


def key_of(name: str, message: dict[str, Any]) -> bytes:
    """The key that Touchline gives a record."""
    tenant = at(message, _TENANT.get(name, "tenant"))
    if name in ("IdentityLink", "IdentityCorrection"):
        return tenant_key(tenant)
    if name == "IdentityAssignment":
        return identifier_key(tenant, message["identifier"])
    if name in ("AccountContribution", "AccountState"):
        return account_key(tenant, message["account_id"])
    return profile_key(tenant, message["profile_id"])


def at(message: Any, path: str) -> Any:
    for part in path.split("."):
        message = message[int(part) if part.isdigit() else part]
    return message


def changed(message: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The message with another value at a path."""
    found = deepcopy(message)
    inner, _, last = path.rpartition(".")
    (at(found, inner) if inner else found)[int(last) if last.isdigit() else last] = value
    return found


def confused_records(partitions: int) -> Iterator[Confused]:
    """All of them."""
    for topic, records in VALID.items():
        for name, message in records:
            yield from _of(topic, name, message, partitions)
    key = b"default/cookie:ck-1"
    for kind, header in (
        ("a tombstone with junk in its header", b"junk"),
        ("a tombstone of what is not erased", encode("IdentityAssignment", assignment())),
        ("a tombstone from the future", encode("IdentityAssignment", changed(ERASED, "version", BIG))),
        (
            "a tombstone of another identifier",
            encode("IdentityAssignment", {**ERASED, "identifier": CUSTOMER}),
        ),
        ("a tombstone of another tenant", encode("IdentityAssignment", {**ERASED, "tenant": "bank"})),
    ):
        headers = (("assignment", header), ("version", b"3"))
        yield Confused(topics.IDENTITY_ASSIGNMENTS, kind, key, None, partition_of(key, partitions), headers)


def _of(topic: Topic, name: str, message: dict[str, Any], partitions: int) -> Iterator[Confused]:
    key, value = key_of(name, message), encode(name, message)
    home = partition_of(key, partitions)

    def one(kind: str, value: bytes | None, key: bytes | None = key, partition: int = home) -> Confused:
        return Confused(topic, f"{name}, {kind}", key, value, partition)

    yield one("JSON", b'{"json": 1}')
    yield one("empty", b"")
    yield one("truncated", value[:-3])
    yield one("bytes left over", value + b"\0")
    yield one("another record", encode("Touchpoint", touchpoint("wrong")))
    yield one("a tombstone", None)
    yield one("no key", value, None)
    yield one("a key that is no text", value, b"\xff\xfe")
    yield one("another tenant in the key", value, b"bank" + key[len(b"default") :])
    yield one("the wrong partition", value, key, (home + 1) % partitions)
    other = changed(message, _TENANT.get(name, "tenant"), "bank")
    yield one("another tenant in the value", encode(name, other))
    for path in _VERSIONS.get(name, ()):
        for version in (BIG, 2**48, -BIG - 1, -2):
            yield one(f"{path} {version}", encode(name, changed(message, path, version)))
    for path in _TIMES[name]:
        for time in (BIG, -BIG - 1):
            yield one(f"{path} {time}", encode(name, changed(message, path, time)))
    for path, odd in _ODD[name].items():
        strange = changed(message, path, odd)
        own = key_of(name, strange)
        yield one(f"{path} {str(odd)[:20]!r}", encode(name, strange), own, partition_of(own, partitions))
    for kind, own, value in odd_ids(name, message):
        yield one(kind, value, own, partition_of(own, partitions))


def odd_ids(name: str, message: dict[str, Any]) -> Iterator[tuple[str, bytes, bytes]]:
    """A record with each of ODD_IDS in the place of each of its ids: what is odd, its key, its value."""
    for path in _IDS.get(name, ()):
        for odd in ODD_IDS:
            strange = changed(message, path, odd)
            yield f"{path} {odd[-40:]!r}", key_of(name, strange), encode(name, strange)


#: Topic of what only the loader reads → its record and the path of its tenant's key.
_OUTPUTS = {
    topics.JOURNEY_STATES: "JourneyState",
    topics.JOURNEY_SIGNALS: "JourneySignal",
    topics.ACCOUNT_STATES: "AccountState",
    topics.PROFILE_CHANGES: "ProfileChanged",
}


_OUTPUT_KINDS = (
    "JSON", "truncated", "another record", "a tombstone without a version", "from the future", "a negative version",
    "another tenant in the value", "the wrong partition",
)  # fmt: skip


def _odd(kind: str, name: str, message: dict[str, Any]) -> bytes | None:
    if kind == "JSON":
        return b'{"json": 1}'
    if kind == "another record":
        return encode("Touchpoint", touchpoint("wrong"))
    if kind == "a tombstone without a version":
        return None
    changes = {"from the future": {"version": BIG}, "a negative version": {"version": -5},
               "another tenant in the value": {"tenant": "bank"}}  # fmt: skip
    value = encode(name, {**message, **changes.get(kind, {})})
    return value[:-3] if kind == "truncated" else value


def confused_outputs(partitions: int) -> Iterator[Confused]:
    """The same for topics that no agent reads."""
    for topic, name in _OUTPUTS.items():
        which = "account_id" if name == "AccountState" else "profile_id"
        for number, kind in enumerate(_OUTPUT_KINDS):
            # each of another person, since of one person's states the loader looks at the newest only
            message = {**example(name), "tenant": "default", "version": 3, which: person(f"{number}")}
            key = profile_key("default", message[which])
            home = partition_of(key, partitions) + (kind == "the wrong partition")
            yield Confused(topic, f"{name}, {kind}", key, _odd(kind, name, message), home % partitions)
        for kind, key, value in odd_ids(name, {**example(name), "tenant": "default", "version": 3}):
            yield Confused(topic, f"{name}, {kind}", key, value, partition_of(key, partitions))
        if topic.compacted:
            headers, key = (("version", str(BIG).encode()),), profile_key("default", person("99"))
            kind = f"{name}, a tombstone from the future"
            yield Confused(topic, kind, key, None, partition_of(key, partitions), headers)
