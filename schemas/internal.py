"""The rules of records on internal topics that their Avro schemas cannot express.

Only Touchline writes these topics (docs/security.md). A confused program, a restored backup or a mistake at a console
may write them all the same. Each such record must end as one dead letter: none may stop a worker, stay in a state for
ever or hide what is written later. A version from the future would do the last, so it is bounded by what can exist: by
the end of the topic whose offsets are versions.
"""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, Final

from schemas.consumed import KafkaRecord
from schemas.encoding.record_types import IDENTITY_ASSIGNMENT
from schemas.errors import ContractError, Reason
from schemas.headers import ASSIGNMENT
from schemas.keys import (
    NAME_PATTERN,
    account_key,
    identifier_key,
    is_uuid,
    partition_of,
    profile_key,
    tenant_key,
)
from schemas.records import Identifier, IdentityAssignment
from schemas.topics import (
    ACCOUNT_INPUTS,
    ACCOUNT_STATES,
    IDENTITY_ASSIGNMENTS,
    IDENTITY_LINKS,
    JOURNEY_INPUTS,
    JOURNEY_STATES,
    Topic,
)
from schemas.touchpoint.rules import EARLIEST_MS, LATEST_MS, MAX_IDENTIFIER_CHARACTERS, check_content
from schemas.version_bounds import VersionBounds

#: Characters of an identifier as it is stored: one of Unicode may become 18 when it is normalised.
MAX_STORED_CHARACTERS: Final = 18 * MAX_IDENTIFIER_CHARACTERS
MAX_ACCOUNT_CHARACTERS: Final = 200
#: Version of a touchpoint that was stitched before its identifier had an assignment.
_UNASSIGNED: Final = -1
#: Topic of states → the topic whose offsets are their versions.
COUNTED_BY: Final = {JOURNEY_STATES.name: JOURNEY_INPUTS, ACCOUNT_STATES.name: ACCOUNT_INPUTS}


def is_internal(name: str) -> bool:
    """Whether there are rules for records of a schema."""
    return name in _RULES


def check_internal(name: str, message: Any, record: KafkaRecord, bounds: VersionBounds) -> None:
    """Raise ContractError if a decoded record of an internal topic breaks a rule, or is not where it belongs.

    `name` is that of its schema, for which `is_internal` must hold.
    """
    key = _RULES[name](message, bounds)
    check_place(key, record, bounds.partitions)


def check_place(key: bytes, record: KafkaRecord, partitions: int) -> None:
    """Raise ContractError unless a record has the key that its value asks for, and is on the partition of that key."""
    if record.key != key:
        raise _invalid(
            f"its key is {(record.key or b'')[:80]!r}, but its value is about {key[:80]!r}: another tenant or person"
        )
    home = partition_of(key, partitions)
    if home != record.partition:
        raise _invalid(f"it is on partition {record.partition}, and its key belongs on partition {home}")


def check_assignment(assignment: Any, bounds: VersionBounds) -> None:
    """Raise ContractError unless an assignment is one that identity could have published."""
    tenant, version = assignment["tenant"], assignment["version"]
    _check_tenant(tenant)
    _check_identifier(assignment["identifier"])
    check_profile(assignment["profile_id"])
    _check_time("occurred_at", assignment["occurred_at"])
    bounds.check(IDENTITY_LINKS, tenant_key(tenant), version)
    contested_from, contested = assignment["contested_from"], assignment["contested_profile_id"]
    if (contested_from is None) != (contested is None):
        raise _invalid("a contested identifier needs both a time and a second profile")
    if contested_from is not None:
        _check_time("contested_from", contested_from)
        check_profile(contested)
    correction = assignment["correction"]
    if correction is None:
        return
    # It may be above the assignment's version: a link that is read again after a crash meets corrections behind it.
    bounds.check(IDENTITY_LINKS, tenant_key(tenant), correction["version"])
    cuts = correction["cuts"]
    if not cuts or cuts != sorted(cuts):
        raise _invalid("a correction needs the times of its cuts, in order")
    for time in (cuts[0], cuts[-1], *(() if correction["erased_at"] is None else (correction["erased_at"],))):
        _check_time("a cut", time)


def check_tombstone(topic: Topic, record: KafkaRecord, version: int, bounds: VersionBounds) -> None:
    """Raise ContractError unless Touchline can have published a tombstone with this version on a versioned topic."""
    if topic is IDENTITY_ASSIGNMENTS:
        assignment = erased_assignment(record)
        if assignment["version"] != version:
            raise _invalid("a tombstone with another version than its assignment has")
        check_internal("IdentityAssignment", assignment, record, bounds)
        return
    key = record.key or b""
    if topic is JOURNEY_STATES:
        check_profile(key.partition(b"/")[2].decode(errors="replace"))
    bounds.check(COUNTED_BY[topic.name], key, version)
    check_place(key, record, bounds.partitions)


def erased_assignment(record: KafkaRecord) -> IdentityAssignment:
    """The assignment that the tombstone of an erased identifier has in its headers, to be checked as a value is.

    Raises ContractError if there is none, or if it erases nothing: identity publishes no such tombstone.
    """
    value = next((value for name, value in record.headers or () if name == ASSIGNMENT), None)
    if value is None:
        raise _invalid("a tombstone without an assignment in its headers: identity publishes none")
    assignment = IDENTITY_ASSIGNMENT.decode(value)
    correction = assignment["correction"]
    if correction is None or correction["erased_at"] is None:
        raise _invalid("a tombstone of an identifier that is not erased")
    return assignment


def check_id(what: str, text: str) -> None:
    """Raise ContractError unless the id of `what` (a profile, a change, …) is a UUID as Touchline writes it."""
    if not is_uuid(text):
        raise _invalid(f"{what} is called {text[:80]!r}, which is no UUID in lower case with hyphens")


def check_profile(profile_id: str) -> None:
    """Raise ContractError unless a profile id is one that identity could have made."""
    check_id("a profile", profile_id)


def _link(link: Any, _: VersionBounds) -> bytes:
    _check_tenant(link["tenant"])
    left, right = link["left"], link["right"]
    if right is None:
        raise _invalid("a link must name two identifiers")
    _check_identifier(left)
    _check_identifier(right)
    if (left["type"], left["value"]) >= (right["type"], right["value"]):
        raise _invalid("a link must name two different identifiers, in order")
    _check_time("occurred_at", link["occurred_at"])
    return tenant_key(link["tenant"])


def _correction(correction: Any, bounds: VersionBounds) -> bytes:
    if correction["kind"] != "ERASE":
        return _link(correction, bounds)
    if correction["right"] is not None:
        raise _invalid("an erasure names one identifier")
    _check_tenant(correction["tenant"])
    _check_identifier(correction["left"])
    _check_time("occurred_at", correction["occurred_at"])
    return tenant_key(correction["tenant"])


def _assignment(assignment: Any, bounds: VersionBounds) -> bytes:
    check_assignment(assignment, bounds)
    return identifier_key(assignment["tenant"], assignment["identifier"])


def _resolved(resolved: Any, bounds: VersionBounds) -> bytes:
    touchpoint = resolved["touchpoint"]
    tenant = touchpoint["tenant"]
    check_content(touchpoint)
    _check_identifier(resolved["identifier"])
    check_profile(resolved["profile_id"])
    bounds.check(IDENTITY_LINKS, tenant_key(tenant), resolved["version"], _UNASSIGNED)
    return profile_key(tenant, resolved["profile_id"])


def _move(move: Any, bounds: VersionBounds) -> bytes:
    check_assignment(move["assignment"], bounds)
    check_profile(move["profile_id"])
    return profile_key(move["assignment"]["tenant"], move["profile_id"])


def _erase(erase: Any, bounds: VersionBounds) -> bytes:
    correction = erase["assignment"]["correction"]
    if correction is None or correction["erased_at"] is None:
        raise _invalid("an Erase must say up to when it erases")
    if not erase["profile_ids"]:
        raise _invalid("an Erase must name the profiles that it is sent to")
    for profile_id in erase["profile_ids"]:
        check_profile(profile_id)
    return _move(erase, bounds)


def _transfer(transfer: Any, bounds: VersionBounds) -> bytes:
    key = _move(transfer, bounds)
    check_profile(transfer["from_profile_id"])
    tenant = transfer["assignment"]["tenant"]
    for touchpoint in transfer["touchpoints"]:
        if touchpoint["tenant"] != tenant:
            raise _invalid(f"a touchpoint of tenant {touchpoint['tenant'][:80]!r} goes to one of {tenant!r}")
        check_content(touchpoint)
    frozen = transfer["frozen"]
    if frozen is not None:
        bounds.check(IDENTITY_LINKS, tenant_key(tenant), frozen["version"], _UNASSIGNED)
        _check_time("boundary_at", frozen["boundary_at"])
        if frozen["late"] < 0:
            raise _invalid(f"a summary counts {frozen['late']} late touchpoints")
    return key


def _contribution(contribution: Any, bounds: VersionBounds) -> bytes:
    tenant, account_id, profile_id = (contribution[name] for name in ("tenant", "account_id", "profile_id"))
    _check_tenant(tenant)
    check_profile(profile_id)
    if len(account_id) > MAX_ACCOUNT_CHARACTERS:
        raise _invalid(
            f"an account id has {len(account_id)} characters, the limit is {MAX_ACCOUNT_CHARACTERS}"
        )
    bounds.check(JOURNEY_INPUTS, profile_key(tenant, profile_id), contribution["version"])
    summary = contribution["summary"]
    if summary is not None:
        _check_summary(summary)
    return account_key(tenant, account_id)


def _check_summary(summary: Any) -> None:
    _check_time("as_of", summary["as_of"])
    _check_time("a member's newest touchpoint", summary["last_touch"]["occurred_at"])
    for issue in summary["open_issues"]:
        _check_time("opened_at", issue["opened_at"])
        _check_time("last_contact_at", issue["last_contact_at"])
    if min(summary[name] for name in ("touchpoints", "orders", "issues_solved")) < 0:
        raise _invalid("a member counts fewer than no touchpoints, orders or issues")
    if not (isfinite(summary["friction"]) and summary["friction"] >= 0):
        raise _invalid(f"a member's friction is {summary['friction']}")
    sentiment = summary["sentiment"]
    if sentiment is not None and not -1 <= sentiment <= 1:
        raise _invalid(f"a member's sentiment is {sentiment}: it must be between -1 and 1")


def _changed(change: Any, bounds: VersionBounds) -> bytes:
    _check_tenant(change["tenant"])
    check_id("a change", change["change_id"])
    for profile_id in (change["profile_id"], *change["others"]):
        check_profile(profile_id)
    _check_time("occurred_at", change["occurred_at"])
    bounds.check(IDENTITY_LINKS, tenant_key(change["tenant"]), change["version"])
    return profile_key(change["tenant"], change["profile_id"])


def _state(state: Any, bounds: VersionBounds) -> bytes:
    _check_tenant(state["tenant"])
    check_profile(state["profile_id"])
    key = profile_key(state["tenant"], state["profile_id"])
    bounds.check(JOURNEY_INPUTS, key, state["version"])
    return key


def _signal(signal: Any, bounds: VersionBounds) -> bytes:
    _check_tenant(signal["tenant"])
    check_profile(signal["profile_id"])
    check_id("a signal", signal["signal_id"])
    check_id("the subject of a signal", signal["subject_id"])
    if signal["successor"] is not None:
        check_profile(signal["successor"])
    key = profile_key(signal["tenant"], signal["profile_id"])
    # twice the version of the input, and one more if a deadline decided
    bounds.check(JOURNEY_INPUTS, key, signal["version"] >> 1)
    _check_time("occurred_at", signal["occurred_at"])
    return key


def _account(state: Any, bounds: VersionBounds) -> bytes:
    _check_tenant(state["tenant"])
    for profile_id in (*state["member_ids"], state["last_touch"]["profile_id"]):
        check_profile(profile_id)
    for issue in state["oldest_issues"]:
        for profile_id in issue["profile_ids"]:
            check_profile(profile_id)
    key = account_key(state["tenant"], state["account_id"])
    bounds.check(ACCOUNT_INPUTS, key, state["version"])
    return key


#: Schema → checks a record of it, and returns the key that it must have.
_RULES: Final[Mapping[str, Callable[[Any, VersionBounds], bytes]]] = {
    "IdentityLink": _link,
    "IdentityCorrection": _correction,
    "IdentityAssignment": _assignment,
    "ResolvedTouchpoint": _resolved,
    "Move": _move,
    "Erase": _erase,
    "Transfer": _transfer,
    "AccountContribution": _contribution,
    "ProfileChanged": _changed,
    "JourneyState": _state,
    "JourneySignal": _signal,
    "AccountState": _account,
}


def _check_tenant(tenant: str) -> None:
    if NAME_PATTERN.fullmatch(tenant) is None:
        raise _invalid(f"tenant is {tenant[:80]!r}: use 1 to 64 of A-Z a-z 0-9 _ . -")


def _check_identifier(identifier: Identifier) -> None:
    kind, value = identifier["type"], identifier["value"]
    if NAME_PATTERN.fullmatch(kind) is None:
        raise _invalid(f"an identifier type is {kind[:80]!r}: use 1 to 64 of A-Z a-z 0-9 _ . -")
    if not 0 < len(value) <= MAX_STORED_CHARACTERS:
        raise ContractError(Reason.TOO_LARGE, f"an identifier has {len(value)} characters")
    if "\x1f" in value:
        raise _invalid(f"the identifier {kind} holds the separator of keys")


def _check_time(name: str, time: int) -> None:
    if not EARLIEST_MS <= time <= LATEST_MS:
        raise _invalid(f"{name} {time} is not between 1900 and 2262")


def _invalid(message: str) -> ContractError:
    return ContractError(Reason.INVALID, message)
